using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>A file that the tutorial wrote opens, with all that it may hold.</summary>
public sealed class TutorialTableTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly SqliteDatabase database;

    public TutorialTableTests()
    {
        database = new SqliteDatabase(directory.File("tasks.db"));
        // As the tutorial makes it.
        database.Run("CREATE TABLE task_entries(id VARCHAR(255), title VARCHAR(255), description VARCHAR(255),"
            + " priority VARCHAR(10), dueDate INTEGER, completed BOOLEAN)");
    }

    public void Dispose()
    {
        database.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task Its_tasks_are_served_and_its_table_is_gone()
    {
        database.Run("INSERT INTO task_entries VALUES"
            + " ('0f', 'Task1', 'd', 'HIGH', 1663738852, 1), ('1f', 'Task2', NULL, 'none', 1.5, 0)");
        await using var service = await StartAsync();
        Assert.Equal(
            """{"0f":{"priority":"high","title":"Task1","description":"d","completed":true,"due_date":1663738852}"""
            + ""","1f":{"priority":"none","title":"Task2","completed":false,"due_date":1.5}}""",
            await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
        Assert.Equal(0L, database.Scalar("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'task_entries%'"));
    }

    [Fact]
    public async Task What_breaks_a_rule_stays_aside_and_of_one_id_the_last_row_counts()
    {
        database.Run("INSERT INTO task_entries VALUES"
            + " ('a', 'older', NULL, 'low', NULL, 0), ('a', 'newer', NULL, NULL, NULL, NULL),"
            + " ('a_b', 't', NULL, 'low', NULL, 0), (NULL, 't', NULL, 'low', NULL, 0),"
            + " ('b', '', NULL, 'low', NULL, 0), ('c', NULL, NULL, 'low', NULL, 0),"
            + " ('d', x'ff', NULL, 'low', NULL, 0), ('e', 't', NULL, 'soon', NULL, 0),"
            + " ('f', 't', NULL, 'low', 'tomorrow', 0), ('g', 't', NULL, 'low', 1e29, 0),"
            + " ('h', 't', NULL, 'low', NULL, 2)");
        await using (var service = await StartAsync())
        {
            Assert.Equal(
                """{"a":{"priority":"none","title":"newer","completed":false}}""",
                await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
        }
        Assert.Equal(
            "older,t,t,,t,t,t,t", database.Scalar("SELECT group_concat(title) FROM task_entries_kept WHERE id <> 'd'"
                + " OR id IS NULL"));
        Assert.Equal(10L, database.Scalar("SELECT count(*) FROM task_entries_kept"));
        // The tutorial was started once more, and made its table anew.
        database.Run("CREATE TABLE task_entries(id VARCHAR(255), title VARCHAR(255), description VARCHAR(255),"
            + " priority VARCHAR(10), dueDate INTEGER, completed BOOLEAN)");
        database.Run("INSERT INTO task_entries VALUES ('a', 'again', NULL, 'low', NULL, 0)");
        await using var second = await StartAsync();
        using var answer = await second.SendAsync("GET", "/tasks/a");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("newer", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("again", database.Scalar("SELECT title FROM task_entries_kept_2"));
    }

    [Fact]
    public async Task More_than_a_page_of_it_moves_as_a_whole()
    {
        database.Run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2500)"
            + " INSERT INTO task_entries SELECT printf('%04d', x), 't', NULL, 'low', NULL, 0 FROM n");
        await using var service = await StartAsync();
        Assert.Equal(2500L, database.Scalar("SELECT count(*) FROM tasks"));
    }

    [Fact]
    public async Task A_table_of_another_shape_is_left_alone()
    {
        database.Run("DROP TABLE task_entries; CREATE TABLE task_entries (id, title)");
        await using var service = await StartAsync();
        Assert.Equal(0L, database.Scalar("SELECT count(*) FROM task_entries"));
    }

    private Task<RunningService> StartAsync() =>
        RunningService.StartAsync($"sqlite: '{directory.File("tasks.db")}'");
}
