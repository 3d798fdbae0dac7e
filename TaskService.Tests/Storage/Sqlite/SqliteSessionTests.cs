using TaskService.Storage.Sqlite;
using TaskService.Telemetry;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>What a reader of operations learns of the statements of a request.</summary>
public sealed class SqliteSessionTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Statements_belong_to_who_asked_for_them_and_show_no_values()
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
    public async Task Without_a_reader_there_is_no_operation()
    {
        await using var store = await OpenAsync();
        await store.CreateAsync(Some.Task("a"), null, CancellationToken.None);
        await store.FindAsync("a", CancellationToken.None);
        Assert.Null(Operation.Current);
    }

    private async Task<SqliteTaskStore> OpenAsync()
    {
        var store = new SqliteTaskStore(
            directory.File("tasks.db"),
            Microsoft.Extensions.Logging.Abstractions.NullLogger<SqliteTaskStore>.Instance);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}
