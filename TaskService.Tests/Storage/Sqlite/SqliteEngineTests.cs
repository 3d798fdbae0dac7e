using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Storage.Sql;
using TaskService.Storage.Sqlite;
using TaskService.Storage.Tasks;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

public sealed class SqliteEngineTests() : StoreContract("sqlite")
{
    private static readonly EntitySql<TaskEntry> Sql = TaskRow.Entity.Sql;

    private readonly TemporaryDirectory directory = new();

    private static CancellationToken Cancel => CancellationToken.None;

    private string DatabaseFile => directory.File("new/tasks.db");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        directory.Dispose();
    }

    [Theory]
    [InlineData(null, false, false, "sqlite_autoindex_tasks_1 (id>?)")]
    [InlineData(true, false, false, "tasks_completed (completed=? AND id>?)")]
    [InlineData(null, true, false, "tasks_priority (priority=? AND id>?)")]
    [InlineData(null, false, true, "sqlite_autoindex_tasks_1 (id>?)")]
    [InlineData(false, false, true, "tasks_completed (completed=? AND id>?)")]
    public async Task A_page_of_a_list_uses_an_index_and_needs_no_sort(
        bool? completed, bool hasPriority, bool isDue, string index)
    {
        var query = new TaskQuery
        {
            Completed = completed,
            Priority = hasPriority ? TaskPriority.High : null,
            DueBefore = isDue ? DateTimeOffset.UnixEpoch : null,
        };
        await using var store = await OpenAsync();
        using var database = new SqliteDatabase(DatabaseFile);
        var plan = database.Rows("EXPLAIN QUERY PLAN " + Sql.List(query), command =>
            Sql.SetQuery(command, query, "a", 10));
        Assert.Equal($"SEARCH tasks USING INDEX {index}", Assert.Single(plan)[3]);
    }

    [Fact]
    public async Task Keys_are_found_by_name_and_by_age_with_an_index()
    {
        await using var store = await OpenAsync();
        using var database = new SqliteDatabase(DatabaseFile);
        Assert.Equal(
            "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)",
            Assert.Single(database.Rows("EXPLAIN QUERY PLAN " + Sql.Find, c => ((SqlParameters)c).SetId("a")))[3]);
        Assert.Equal(
            "SEARCH idempotency_keys USING PRIMARY KEY (key=?)",
            Assert.Single(database.Rows("EXPLAIN QUERY PLAN " + KeySql.Find, c => KeySql.SetName(c, "a")))[3]);
        var expired = database.Rows(
            "EXPLAIN QUERY PLAN " + KeySql.DeleteExpired, c => KeySql.SetExpiry(c, DateTimeOffset.UnixEpoch));
        Assert.Contains(expired, row => ((string)row[3]).Contains("idempotency_keys_created (created<?)"));
    }

    [Fact]
    public async Task A_slow_reader_of_a_list_does_not_block_a_checkpoint_of_the_log()
    {
        await using var store = await OpenAsync();
        foreach (var number in Enumerable.Range(0, 100))
        {
            await store.CreateAsync(Some.Task($"t{number:d3}"), null, Cancel);
        }
        await using var list = store.ListAsync(TaskQuery.All, Cancel).GetAsyncEnumerator(Cancel);
        Assert.True(await list.MoveNextAsync());
        using var database = new SqliteDatabase(DatabaseFile);
        // Busy, frames of the log, frames that are in the file: nobody reads in the log.
        Assert.Equal(0L, Assert.Single(database.Rows("PRAGMA wal_checkpoint(TRUNCATE)"))[0]);
        await store.DeleteAsync("t050", null, Cancel);
        var ids = new List<string> { list.Current.Id };
        while (await list.MoveNextAsync())
        {
            ids.Add(list.Current.Id);
        }
        Assert.Equal(Enumerable.Range(0, 100).Where(n => n != 50).Select(n => $"t{n:d3}"), ids);
    }

    [Fact]
    public async Task Long_texts_make_shorter_pages_and_the_list_is_whole()
    {
        await using var store = await OpenAsync();
        var tasks = Enumerable.Range(0, TestRoot.Scale(200, 2_000))
            .Select(number => new Stored<TaskEntry>($"t{number:d4}", new TaskEntry
            {
                Title = "t",
                Description = new string('x', TaskEntry.DescriptionCharactersMax),
            })).ToList();
        await Task.WhenAll(tasks.Select(task => store.CreateAsync(task, null, Cancel).AsTask()));
        Assert.Equal(tasks, await store.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel));
    }

    [Theory]
    [InlineData("b", "''", "'none'", "NULL")]
    [InlineData("b", "'t'", "'HIGH'", "NULL")]
    [InlineData("b", "'t'", "'none'", "9223372036854775807")]
    [InlineData("b", "'t'", "'none'", "253402300800000000")]
    [InlineData("b_b", "'t'", "'none'", "NULL")]
    public async Task A_row_that_breaks_a_rule_is_neither_served_nor_touched(
        string id, string title, string priority, string due)
    {
        await using var store = await OpenAsync();
        await store.CreateAsync(Some.Task("a"), null, Cancel);
        await store.CreateAsync(Some.Task("c"), null, Cancel);
        using var database = new SqliteDatabase(DatabaseFile);
        database.Run("INSERT INTO tasks (id, title, priority, due_date, completed)"
            + $" VALUES ('{id}', {title}, {priority}, {due}, 0)");
        var listed = await store.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel);
        Assert.Equal(["a", "c"], listed.Select(task => task.Id));
        Assert.Null(await store.FindAsync(id, Cancel));
        Assert.Equal(ErrorKind.NotFound, await store.UpdateAsync(Some.Task(id), null, Cancel));
        Assert.Equal(ErrorKind.NotFound, await store.DeleteAsync(id, null, Cancel));
        Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(Some.Task(id), null, Cancel));
        Assert.Equal(1L, database.Scalar($"SELECT count(*) FROM tasks WHERE id = '{id}' AND title = {title}"));
    }

    [Fact]
    public async Task Changes_of_another_process_are_visible_at_once()
    {
        await using var store = await OpenAsync();
        await using var other = await OpenAsync();
        await store.CreateAsync(Some.Task("a", "first"), null, Cancel);
        Assert.Null(await other.UpdateAsync(Some.Task("a", "second"), null, Cancel));
        Assert.Equal("second", (await store.FindAsync("a", Cancel))!.Value.Title);
        Assert.Equal(
            ErrorKind.VersionMismatch, await store.DeleteAsync("a", Some.Task("a", "first").Version, Cancel));
    }

    [Fact]
    public async Task Two_processes_with_one_idempotency_key_create_one_task()
    {
        await using var store = await OpenAsync();
        await using var other = await OpenAsync();
        var now = DateTimeOffset.UtcNow;
        Assert.Null(await store.CreateAsync(Some.Task("a"), RecordOf("k", "a", now), Cancel));
        var error = await Assert.ThrowsAsync<StorageException>(
            async () => await other.CreateAsync(Some.Task("b"), RecordOf("k", "b", now), Cancel));
        Assert.Equal(ErrorKind.StorageUnavailable, error.Kind);
        Assert.Equal("a", (await other.FindKeyAsync("k", Cancel))!.Id);
        Assert.Null(await other.FindAsync("b", Cancel));
        // The day after it is another wish.
        Assert.Null(await other.CreateAsync(
            Some.Task("b"), RecordOf("k", "b", now + IdempotencyRecord.KeptTime), Cancel));
        Assert.Equal("b", (await store.FindKeyAsync("k", Cancel))!.Id);
    }

    [Fact]
    public async Task A_change_that_fails_does_not_fail_others_of_its_batch()
    {
        await using var store = await OpenAsync();
        await using var other = await OpenAsync();
        var now = DateTimeOffset.UtcNow;
        await other.CreateAsync(Some.Task("a"), RecordOf("k", "a", now), Cancel);
        using var database = new SqliteDatabase(DatabaseFile);
        // All but the first one wait until it goes on, and then share a transaction.
        database.Run("BEGIN IMMEDIATE");
        var creates = Enumerable.Range(0, 20).Select(number => store.CreateAsync(
            Some.Task($"t{number:d2}"), number == 10 ? RecordOf("k", "t10", now) : null, Cancel).AsTask()).ToList();
        database.Run("ROLLBACK");
        foreach (var (number, create) in creates.Index())
        {
            var error = await Record.ExceptionAsync(() => create);
            Assert.Equal(number == 10, error is StorageException);
        }
        var listed = await store.ListAsync(new TaskQuery { After = "a" }, Cancel).ToListAsync(Cancel);
        Assert.Equal(
            Enumerable.Range(0, 20).Where(number => number != 10).Select(number => $"t{number:d2}"),
            listed.Select(task => task.Id));
    }

    [Fact]
    public async Task Expired_idempotency_keys_are_deleted_in_batches_and_others_stay()
    {
        await using var store = await OpenAsync();
        var now = DateTimeOffset.UtcNow;
        await store.CreateAsync(Some.Task("young"), RecordOf("young", "young", now.AddHours(-23)), Cancel);
        using var database = new SqliteDatabase(DatabaseFile);
        database.Run("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1200)"
            + " INSERT INTO idempotency_keys SELECT 'old' || x, '0', 'a', '0', x FROM n");
        var seen = new List<long>();
        for (var number = 0; number < 500; number++)
        {
            await store.CreateAsync(Some.Task(), RecordOf($"new{number}", "a", now), Cancel);
            seen.Add((long)database.Scalar("SELECT count(*) FROM idempotency_keys WHERE key LIKE 'old%'")!);
        }
        Assert.Equal([1200, 700, 200, 0], seen.Distinct());
        Assert.NotNull(await store.FindKeyAsync("young", Cancel));
        Assert.Equal(501L, database.Scalar("SELECT count(*) FROM idempotency_keys"));
    }

    [Fact]
    public async Task A_queued_change_is_cancelled_and_one_that_has_begun_is_completed()
    {
        await using var store = await OpenAsync();
        using var database = new SqliteDatabase(DatabaseFile);
        database.Run("BEGIN IMMEDIATE");
        // It waits for the other process; what comes behind it waits for its turn.
        await BeginAsync(store, "a", RecordOf("k", "a", DateTimeOffset.UtcNow));
        using var cancel = new CancellationTokenSource();
        var second = store.CreateAsync(Some.Task("b"), null, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        var retry = store.FindKeyAsync("k", Cancel).AsTask();
        database.Run("ROLLBACK");
        // Behind the first one, which has come to its end by then; the retry knew of it, whatever that was.
        Assert.Null(await store.CreateAsync(Some.Task("b"), null, Cancel));
        Assert.Equal((await store.FindAsync("a", Cancel))?.Id, (await retry)?.Id);
    }

    /// <summary>Cancels creates of a task until one has begun, which is said to go on.</summary>
    private static async Task BeginAsync(TaskStore store, string id, IdempotencyRecord idempotency)
    {
        Exception? error = null;
        while (error is not StorageException)
        {
            using var cancel = new CancellationTokenSource();
            var create = store.CreateAsync(Some.Task(id), idempotency, cancel.Token).AsTask();
            await store.FindAsync(id, Cancel);
            await cancel.CancelAsync();
            error = await Record.ExceptionAsync(() => create);
            Assert.True(error is OperationCanceledException or StorageException, $"{error}");
        }
        Assert.IsAssignableFrom<OperationCanceledException>(error.InnerException);
    }

    private static IdempotencyRecord RecordOf(string key, string id, DateTimeOffset created) =>
        new(key, 1, id, Some.Task().Version, created);

    private TaskStore New() =>
        new(new SqliteEngine(DatabaseFile, import: null, NullLoggerFactory.Instance));

    private async Task<TaskStore> OpenAsync()
    {
        var store = New();
        await store.OpenAsync(Cancel);
        return store;
    }
}
