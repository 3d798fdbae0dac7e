using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Hosting;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>The engine itself, as a configuration makes it.</summary>
internal static class PostgresStore
{
    /// <param name="settings">Members of <c>task-db.postgres</c>, in YAML.</param>
    public static ITaskStore Create(string settings)
    {
        var (read, _) = Settings.Read(
            "test.yaml",
            $$"""task-db: { postgres: { {{settings}} } }""",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        return read.CreateStore(NullLoggerFactory.Instance);
    }
}
