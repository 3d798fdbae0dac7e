using System.Text.Json;
using TaskService.Storage.Sqlite;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>What a reader of operations learns of the statements of a request.</summary>
public sealed class SqliteSessionTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void The_SQLite_library_is_the_one_that_comes_with_the_service()
    {
        using var database = new SqliteDatabase(directory.File("tasks.db"));
        var version = Version.Parse((string)database.Scalar("SELECT sqlite_version()")!);
        Assert.Contains(
            $"SQLite itself ({version.ToString(fieldCount: 2)})",
            File.ReadAllText(TestRoot.File("docs", "storage.md")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Statements_belong_to_the_operation_of_their_request_and_show_no_values()
    {
        await using var events = new EventFile();
        await using (var store = await OpenAsync())
        {
            using (events.Telemetry.StartRequest("r1", remote: null))
            {
                await store.CreateAsync(Some.Task("secret-id", "secret"), null, CancellationToken.None);
                await store.FindAsync("secret-id", CancellationToken.None);
                await store.FindAsync("secret-other", CancellationToken.None);
            }
        }
        var all = await events.ReadAsync();
        Assert.DoesNotContain(all, one => one.ToString().Contains("secret", StringComparison.Ordinal));
        Assert.All(all, one => Assert.Equal("r1", one.GetProperty("id").GetString()));
        var statements = all.Where(one => one.GetProperty("type").GetString() == "request.sql").ToList();
        Assert.Equal(
            [("INSERT", 1), ("SELECT", 1), ("SELECT", 0)],
            statements.Select(one => (
                one.GetProperty("body").GetProperty("query").GetString()!.Split(' ')[0],
                one.GetProperty("body").GetProperty("row_count").GetInt32())));
    }

    [Fact]
    public async Task A_list_that_fails_on_its_way_is_an_operation_that_failed()
    {
        await using (var service = await RunningService.StartAsync(
            $"sqlite: '{directory.File("tasks.db")}'",
            $"telemetry: {{ exporters: {{ events: {{ path: '{directory.File("events")}' }} }} }}\n"
                + "logging: { handlers: { console: { type: console, level: none } } }"))
        {
            using (var database = new SqliteDatabase(directory.File("tasks.db")))
            {
                database.Run("ALTER TABLE tasks RENAME TO others");
            }
            using var failed = await service.SendAsync("GET", "/tasks");
            Assert.InRange((int)failed.StatusCode, 500, 599);
        }
        var list = Assert.Single(
            LogFiles.WholeLines(directory.File("events")).Select(line => JsonElement.Parse(line)),
            one => one.GetProperty("type").GetString() == "request.store.list");
        Assert.Contains("tasks", list.GetProperty("body").GetProperty("exception").GetString());
    }

    [Fact]
    [Trait("Suite", "integration")]
    public async Task Statements_are_children_of_the_call_of_the_store_and_commits_have_no_parent()
    {
        // In a process of its own, since operations outside of requests go to the newest service of a process.
        await File.WriteAllTextAsync(
            directory.File("c.yaml"),
            """
            task-db: { sqlite: tasks.db }
            telemetry: { exporters: { events: { type: json, path: events, close-time-max-ms: 60000 } } }
            """);
        using (var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0"))
        {
            using var client = await process.ClientAsync();
            using var made = await client.PostAsync(
                new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
            using var read = await client.GetAsync(made.Headers.Location);
            process.Signal("TERM");
            Assert.Equal(0, await process.ExitAsync());
        }
        var events = directory.File("events");
        var statements = SqlEvents.OfRequests(events);
        Assert.Equal(
            [("request.store.create", "INSERT"), ("request.store.find", "SELECT")],
            statements.Select(one => (one.Parent!, one.Query.Split(' ')[0])));
        Assert.All(statements, one => Assert.Equal($"{one.Parent}.sql", one.Type));
        var others = SqlEvents.Read(events).Where(one => one.Parent is null).ToList();
        Assert.All(others, one => Assert.Equal("sql", one.Type));
        Assert.Contains("BEGIN IMMEDIATE", others.Select(one => one.Query));
        Assert.Contains("COMMIT", others.Select(one => one.Query));
        // An id of its own each, and no request's.
        Assert.Equal(others.Count + 2, statements.Concat(others).Select(one => one.Id).Distinct().Count());
    }

    [Fact]
    public async Task Without_a_reader_there_is_no_operation()
    {
        await using var store = await OpenAsync();
        await store.CreateAsync(Some.Task("a"), null, CancellationToken.None);
        await store.FindAsync("a", CancellationToken.None);
        Assert.Null(Operation.Current);
    }

    private async Task<TaskStore> OpenAsync()
    {
        var store = new TaskStore(new SqliteEngine(
            directory.File("tasks.db"),
            import: null,
            Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance));
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}
