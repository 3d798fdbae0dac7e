using System.Net;
using TaskService.Domain;
using TaskService.Tests.Storage.Sqlite;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Tasks;

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
    public async Task Tasks_of_the_tutorial_are_imported_and_its_table_is_dropped()
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
    public async Task Invalid_rows_are_kept_with_a_reason_and_of_one_id_the_last_row_is_imported()
    {
        database.Run("INSERT INTO task_entries VALUES"
            + " ('a', 'older', NULL, 'low', NULL, 0), ('a', 'newer', NULL, NULL, NULL, NULL),"
            + " ('a_b', 't', NULL, 'low', NULL, 0), (NULL, 't', NULL, 'low', NULL, 0),"
            + " ('b', '', NULL, 'low', NULL, 0), ('c', NULL, NULL, 'low', NULL, 0),"
            + " ('d', x'ff', NULL, 'low', NULL, 0), ('e', 't', NULL, 'soon', NULL, 0),"
            + " ('f', 't', NULL, 'low', 'tomorrow', 0), ('g', 't', NULL, 'low', 1e29, 0),"
            + " ('h', 't', NULL, 'low', NULL, 2)");
        using var logs = new LogFiles();
        await using (var service = await StartAsync(logs.Yaml))
        {
            Assert.Equal(
                """{"a":{"priority":"none","title":"newer","completed":false}}""",
                await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
        }
        Assert.Equal(
            "older,t,t,,t,t,t,t", database.Scalar("SELECT group_concat(title) FROM task_entries_kept WHERE id <> 'd'"
                + " OR id IS NULL"));
        Assert.Equal(10L, database.Scalar("SELECT count(*) FROM task_entries_kept"));
        var file = directory.File("tasks.db");
        Assert.Equal(
            [
                $"Copied {file} to {file}.before-tutorial_import, since tutorial_import removes or rewrites data",
                Row(11, "h", "completed is not 0 or 1"),
                Row(10, "g", "due_date is not in the years 1 to 9999"),
                Row(9, "f", "due_date is not in the years 1 to 9999"),
                Row(8, "e", "priority is not known"),
                Row(7, "d", "title is not text"),
                Row(6, "c", "title is not text"),
                Row(5, "b", "title must not be empty"),
                Row(4, "", "its id is not an id"),
                Row(3, "a_b", "its id is not an id"),
                Row(1, "a", "a task with this id is there already"),
                $"Took over 1 tasks of the tutorial in {file}; 10 rows stay aside in the table task_entries_kept",
            ],
            logs.Read("brief").Where(line => line.Contains("SqliteEngine", StringComparison.Ordinal))
                .Select(line => LogfmtLine.ParseBrief(line)["message"]!)
                .Where(message => !message.StartsWith("Applied ", StringComparison.Ordinal)));
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
    public async Task Each_import_makes_a_backup_of_the_file_first()
    {
        for (var time = 1; time <= 2; time++)
        {
            database.Run("CREATE TABLE IF NOT EXISTS task_entries(id VARCHAR(255), title VARCHAR(255),"
                + " description VARCHAR(255), priority VARCHAR(10), dueDate INTEGER, completed BOOLEAN)");
            // It is in the log from the second time on.
            database.Run($"INSERT INTO task_entries VALUES ('{time}f', 'Task{time}', NULL, 'HIGH', NULL, 1),"
                + " ('g', '', NULL, 'low', NULL, 0)");
            await using var service = await StartAsync();
        }
        // There is nothing any more.
        await (await StartAsync()).DisposeAsync();
        database.Dispose();
        foreach (var (name, title) in new[] { ("", "Task1"), ("-2", "Task2") })
        {
            using var copy = new SqliteDatabase(directory.File($"tasks.db.before-tutorial_import{name}"));
            Assert.Equal($"{title},", copy.Scalar("SELECT group_concat(title) FROM task_entries"));
        }
        Assert.Equal(
            ["tasks.db", "tasks.db.before-tutorial_import", "tasks.db.before-tutorial_import-2"],
            Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Without_a_backup_nothing_is_imported()
    {
        database.Run("INSERT INTO task_entries VALUES ('1f', 'Task1', NULL, 'HIGH', NULL, 1)");
        // What makes it fail, whoever runs the test.
        Directory.CreateDirectory(directory.File("tasks.db.before-tutorial_import.tmp"));
        var error = await Assert.ThrowsAsync<StorageException>(StartAsync);
        Assert.StartsWith(
            $"task-db.sqlite: {directory.File("tasks.db")} cannot be opened: tutorial_import removes or rewrites data,"
            + " and no copy of the file can be made before: ",
            error.Message,
            StringComparison.Ordinal);
        Assert.Equal(1L, database.Scalar("SELECT count(*) FROM task_entries"));
        Assert.Equal(0L, database.Scalar("SELECT count(*) FROM tasks"));
    }

    [Fact]
    public async Task A_table_longer_than_a_page_is_imported_as_a_whole()
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

    private static string Row(int row, string id, string reason) =>
        $"Row {row} of task_entries, id {id}, was not taken over: {reason}";

    private Task<RunningService> StartAsync() => StartAsync(logging: null);

    private Task<RunningService> StartAsync(string? logging) =>
        RunningService.StartAsync($"sqlite: '{directory.File("tasks.db")}'", logging);
}
