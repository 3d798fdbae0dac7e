using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Hosting;
using TaskService.Storage;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>The engine itself, as a configuration makes it.</summary>
internal static class PostgresTaskStore
{
    /// <param name="settings">Members of <c>task-db.postgres</c>, in YAML.</param>
    public static TaskStore Create(string settings) => new(CreateEngine(settings));

    /// <inheritdoc cref="Create"/>
    public static IEngine CreateEngine(string settings)
    {
        var (read, _) = Settings.Read(
            "test.yaml",
            $$"""task-db: { postgres: { {{settings}} } }""",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        return read.CreateEngine(NullLoggerFactory.Instance);
    }
}
