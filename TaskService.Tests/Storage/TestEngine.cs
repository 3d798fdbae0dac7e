using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Storage;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Sqlite;
using TaskService.Tests.Storage.Postgres;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>A storage of its own for one of the engines.</summary>
/// <param name="name">As in the configuration.</param>
/// <param name="servers">For PostgreSQL.</param>
internal sealed class TestEngine(string name, PostgresFixture? servers) : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly string database = name == "postgres" ? servers!.Primary.CreateDatabase() : "";

    public static TheoryData<string> Names => ["memory", "fs", "sqlite", "postgres"];

    public bool IsDurable => name != "memory";

    private string SqliteFile => directory.File("new/engine.db");

    /// <summary>Creates another engine on the same storage, which is not open yet.</summary>
    public IEngine Create() => name switch
    {
        "memory" => new MemoryEngine(),
        "fs" => new FileEngine(directory.File("engine"), NullLogger<FileEngine>.Instance),
        "sqlite" => new SqliteEngine(SqliteFile, import: null, NullLogger<SqliteEngine>.Instance),
        // 64 callers share 16 connections, however slow the machine is.
        _ => PostgresTaskStore.CreateEngine(
            $"primary: '{servers!.Primary.Connection(database, "Timeout=60")}', command-timeout: 60"),
    };

    /// <summary>Adds tables to the schema of the service, where there is one.</summary>
    public async Task AddTablesAsync(string sql)
    {
        await using (var engine = Create())
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        if (name == "sqlite")
        {
            using var file = new SqliteDatabase(SqliteFile);
            file.Run(sql);
        }
        else if (name == "postgres")
        {
            servers!.Primary.Execute(sql, database);
        }
    }

    public void Dispose() => directory.Dispose();
}
