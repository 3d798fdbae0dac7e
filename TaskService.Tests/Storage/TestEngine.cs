using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Hosting;
using TaskService.Storage;
using TaskService.Tests.Storage.Postgres;
using TaskService.Tests.Storage.Sqlite;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>A storage of its own for one of the engines.</summary>
/// <param name="name">As in the configuration.</param>
internal sealed class TestEngine(string name) : IDisposable
{
    // One line per engine: its name in the configuration, and a new storage, which may be in this directory.
    private static readonly OrderedDictionary<string, Func<TemporaryDirectory, TestStorage>> Storages = new()
    {
        ["memory"] = _ => new("memory:") { IsDurable = false },
        ["fs"] = directory => new($"fs: '{directory.File("engine")}'"),
        ["sqlite"] = SqliteStorage.New,
        ["postgres"] = _ => PostgresStorage.New(),
    };

    private readonly TemporaryDirectory directory = new();
    private TestStorage? storage;

    public static TheoryData<string> Names => [.. Storages.Keys];

    public bool IsDurable => Storage.IsDurable;

    /// <summary>The member of <c>task-db</c>, in YAML.</summary>
    public string Configuration => Storage.Configuration;

    private TestStorage Storage => storage ??= Storages[name](directory);

    /// <summary>Creates another engine on the same storage, which is not open yet.</summary>
    public IEngine Create()
    {
        var (settings, _) = Settings.Read(
            "test.yaml",
            $"task-db: {{ {Configuration} }}",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        return settings.CreateEngine(NullLoggerFactory.Instance);
    }

    /// <summary>Adds tables to the schema of the service, where there is one.</summary>
    public async Task AddTablesAsync(string sql)
    {
        await using (var engine = Create())
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        Storage.Execute?.Invoke(sql);
    }

    public void Dispose() => directory.Dispose();
}

/// <summary>Where an engine of a test keeps its values.</summary>
/// <param name="Configuration">The member of <c>task-db</c>, in YAML.</param>
/// <param name="Execute">Runs SQL; null for an engine that has none.</param>
internal sealed record TestStorage(string Configuration, Action<string>? Execute = null)
{
    /// <summary>Whether values are there after a restart.</summary>
    public bool IsDurable { get; init; } = true;
}
