using System.Net;
using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>What clients see of tables that someone else removes or changes.</summary>
public sealed class SqliteSchemaTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("ALTER TABLE tasks RENAME TO other", "ALTER TABLE other RENAME TO tasks", false, false)]
    [InlineData("ALTER TABLE tasks RENAME COLUMN title TO name", "ALTER TABLE tasks RENAME COLUMN name TO title",
        false, false)]
    [InlineData("CREATE TRIGGER no BEFORE INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'no'); END", "DROP TRIGGER no",
        true, true)]
    [InlineData("ALTER TABLE idempotency_keys RENAME TO other", "ALTER TABLE other RENAME TO idempotency_keys",
        true, false)]
    public async Task A_schema_that_changes_at_run_time_is_503_and_not_ready_until_it_is_restored(
        string change, string back, bool isReadable, bool isSeenByChangesOnly)
    {
        await using var service = await StartAsync();
        await service.CreateAsync(Some.TaskJson);
        using var database = new SqliteDatabase(directory.File("tasks.db"));
        database.Run(change);
        Assert.Equal(isSeenByChangesOnly ? 200 : 503, await StatusAsync(service, "GET", "/health/ready"));
        for (var time = 0; time < 2; time++)
        {
            using var refused = await service.SendAsync(
                "POST", "/tasks", RunningService.Json(Some.TaskJson), ("Idempotency-Key", "k"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Contains(
                "\"Storage is not available\"", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.Equal(503, await StatusAsync(service, "GET", "/health/ready"));
            Assert.Equal(isReadable ? 200 : 503, await StatusAsync(service, "GET", "/tasks"));
        }
        database.Run(back);
        Assert.Equal(200, await StatusAsync(service, "GET", "/health/ready"));
        Assert.Equal(200, await StatusAsync(service, "GET", "/tasks"));
        await service.CreateAsync(Some.TaskJson);
        Assert.Equal(2L, database.Scalar("SELECT count(*) FROM tasks"));
    }

    [Theory]
    [InlineData("ALTER TABLE tasks RENAME TO other", "no such table: tasks")]
    [InlineData("DROP TABLE idempotency_keys", "no such table: idempotency_keys")]
    [InlineData("ALTER TABLE tasks DROP COLUMN description", "no such column: description")]
    public async Task An_incomplete_schema_stops_the_start(string change, string problem)
    {
        await (await StartAsync()).DisposeAsync();
        using var database = new SqliteDatabase(directory.File("tasks.db"));
        database.Run(change);
        var error = await Assert.ThrowsAsync<StorageException>(StartAsync);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Suite", "integration")]
    public async Task Only_to_migrate_says_in_one_line_what_the_schema_is_and_ends()
    {
        const string quiet = "logging: { handlers: { console: { type: console, level: warning } } }";
        var last = Directory.GetFiles(TestRoot.File("schema", "sqlite")).Select(file => Path.GetFileName(file)).Max();
        await File.WriteAllTextAsync(directory.File("c.yaml"), $"task-db: {{ sqlite: new/tasks.db }}\n{quiet}\n");
        for (var time = 0; time < 2; time++)
        {
            using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "--migrate-only");
            Assert.Equal(0, await process.ExitAsync());
            Assert.Equal($"the schema is at {last}", Assert.Single(process.Output));
            Assert.Empty(process.Errors);
        }
        Assert.True(File.Exists(directory.File("new/tasks.db")));
    }

    private static async Task<int> StatusAsync(RunningService service, string method, string path)
    {
        using var answer = await service.SendAsync(method, path);
        return (int)answer.StatusCode;
    }

    private Task<RunningService> StartAsync() =>
        RunningService.StartAsync($"sqlite: '{directory.File("tasks.db")}'");
}
