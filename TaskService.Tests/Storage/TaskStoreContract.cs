using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>What <see cref="ITaskStore"/> promises, on every engine. An engine's test class inherits it.</summary>
public abstract class TaskStoreContract : IAsyncLifetime
{
    private ITaskStore store = null!;

    private static CancellationToken Cancel => CancellationToken.None;

    private static CancellationToken Cancelled => new(canceled: true);

    public async ValueTask InitializeAsync()
    {
        store = Create();
        await store.OpenAsync(Cancel);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_created_task_can_be_found()
    {
        var task = new StoredTask("a-1", new TaskEntry
        {
            Title = "žluť \U0001F600 </script> \u2028 \"\\\n\t\u0001",
            Description = "",
            Priority = TaskPriority.Urgent,
            Completed = true,
            DueDate = DateTimeOffset.UnixEpoch.AddMicroseconds(1_663_738_852_123_456),
        });
        Assert.True(await store.CreateAsync(task, null, Cancel));
        Assert.Equal(task, await store.FindAsync("a-1", Cancel));
    }

    [Fact]
    public async Task A_missing_task_is_not_found_updated_or_deleted()
    {
        Assert.Null(await store.FindAsync("none", Cancel));
        Assert.Equal(ErrorKind.TaskNotFound, await store.UpdateAsync(Some.Task("none"), null, Cancel));
        Assert.Equal(ErrorKind.TaskNotFound, await store.UpdateAsync(Some.Task("none"), Some.Task().Version, Cancel));
        Assert.Equal(ErrorKind.TaskNotFound, await store.DeleteAsync("none", null, Cancel));
        Assert.Empty(await ListAsync(TaskQuery.All));
        Assert.Empty(await store.ListIdsDescendingAsync(Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task An_id_is_taken_once()
    {
        Assert.True(await store.CreateAsync(Some.Task("a", "first"), null, Cancel));
        Assert.False(await store.CreateAsync(Some.Task("a", "second"), null, Cancel));
        Assert.Equal("first", (await store.FindAsync("a", Cancel))!.Entry.Title);
    }

    [Fact]
    public async Task A_deleted_task_is_gone_and_deleted_once()
    {
        await store.CreateAsync(Some.Task("a"), null, Cancel);
        Assert.Null(await store.DeleteAsync("a", null, Cancel));
        Assert.Null(await store.FindAsync("a", Cancel));
        Assert.Empty(await ListAsync(TaskQuery.All));
        Assert.Equal(ErrorKind.TaskNotFound, await store.DeleteAsync("a", null, Cancel));
        Assert.True(await store.CreateAsync(Some.Task("a"), null, Cancel));
    }

    [Fact]
    public async Task An_update_replaces_everything()
    {
        var before = new StoredTask("a", new TaskEntry
        {
            Title = "before",
            Description = "d",
            Priority = TaskPriority.Low,
            Completed = true,
            DueDate = DateTimeOffset.UnixEpoch,
        });
        var after = Some.Task("a", "after");
        await store.CreateAsync(before, null, Cancel);
        Assert.Null(await store.UpdateAsync(after, null, Cancel));
        Assert.Equal(after, await store.FindAsync("a", Cancel));
    }

    [Fact]
    public async Task A_change_that_expects_another_version_changes_nothing()
    {
        var (first, second) = (Some.Task("a", "first"), Some.Task("a", "second"));
        await store.CreateAsync(first, null, Cancel);
        Assert.Equal(ErrorKind.VersionMismatch, await store.UpdateAsync(second, second.Version, Cancel));
        Assert.Equal(ErrorKind.VersionMismatch, await store.DeleteAsync("a", second.Version, Cancel));
        Assert.Equal(first, await store.FindAsync("a", Cancel));
        Assert.Null(await store.UpdateAsync(second, first.Version, Cancel));
        Assert.Null(await store.DeleteAsync("a", second.Version, Cancel));
    }

    [Fact]
    public async Task The_revision_differs_after_each_change_and_only_then()
    {
        var seen = new List<long?> { store.Revision };
        await store.CreateAsync(Some.Task("a", "first"), null, Cancel);
        seen.Add(store.Revision);
        await store.UpdateAsync(Some.Task("a", "second"), null, Cancel);
        seen.Add(store.Revision);
        await store.DeleteAsync("a", null, Cancel);
        seen.Add(store.Revision);
        await ListAsync(TaskQuery.All);
        await store.FindAsync("a", Cancel);
        Assert.Equal(seen[^1], store.Revision);
        // Who cannot know it never says one.
        Assert.Equal(seen[0] is null ? 1 : seen.Count, seen.Distinct().Count());
    }

    [Fact]
    public async Task Ids_that_differ_in_case_are_never_mixed_up()
    {
        // Named apart in their content, so that a mix-up shows.
        Assert.True(await store.CreateAsync(Some.Task("B", "upper"), null, Cancel));
        var isBoth = await store.CreateAsync(Some.Task("b", "lower"), null, Cancel);
        Assert.Equal("upper", (await store.FindAsync("B", Cancel))!.Entry.Title);
        Assert.Equal(isBoth ? "lower" : null, (await store.FindAsync("b", Cancel))?.Entry.Title);
        Assert.Equal(isBoth ? ["B", "b"] : ["B"], (await ListAsync(TaskQuery.All)).Select(task => task.Id));
        Assert.Equal(isBoth ? null : ErrorKind.TaskNotFound, await store.DeleteAsync("b", null, Cancel));
        Assert.Equal("upper", (await store.FindAsync("B", Cancel))!.Entry.Title);
    }

    [Fact]
    public async Task A_list_is_in_ordinal_id_order_both_ways()
    {
        string[] ids = ["b", "a", "Z", "a-", "0", "aa", "-", "Y"];
        foreach (var id in ids)
        {
            await store.CreateAsync(Some.Task(id), null, Cancel);
        }
        var ordered = ids.Order(StringComparer.Ordinal).ToList();
        Assert.Equal(ordered, (await ListAsync(TaskQuery.All)).Select(task => task.Id));
        Assert.Equal(ordered.AsEnumerable().Reverse(), await store.ListIdsDescendingAsync(Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_list_begins_after_an_id_that_need_not_exist()
    {
        foreach (var id in new[] { "a", "c", "e" })
        {
            await store.CreateAsync(Some.Task(id), null, Cancel);
        }
        Assert.Equal(["c", "e"], (await ListAsync(new TaskQuery { After = "a" })).Select(task => task.Id));
        Assert.Equal(["c", "e"], (await ListAsync(new TaskQuery { After = "b" })).Select(task => task.Id));
        Assert.Equal(["a", "c", "e"], (await ListAsync(new TaskQuery { After = "" })).Select(task => task.Id));
        Assert.Empty(await ListAsync(new TaskQuery { After = "e" }));
        Assert.Empty(await ListAsync(new TaskQuery { After = "z" }));
    }

    [Fact]
    public async Task A_list_is_filtered()
    {
        var epoch = DateTimeOffset.UnixEpoch;
        var open = new StoredTask("open", new TaskEntry { Title = "t", Priority = TaskPriority.High, DueDate = epoch });
        var done = new StoredTask("done", new TaskEntry { Title = "t", Completed = true, DueDate = epoch.AddDays(1) });
        await store.CreateAsync(open, null, Cancel);
        await store.CreateAsync(done, null, Cancel);
        await store.CreateAsync(Some.Task("without"), null, Cancel);
        Assert.Equal([done], await ListAsync(new TaskQuery { Completed = true }));
        Assert.Equal([open], await ListAsync(new TaskQuery { Priority = TaskPriority.High }));
        Assert.Equal([open], await ListAsync(new TaskQuery { DueBefore = epoch.AddDays(1) }));
        Assert.Empty(await ListAsync(new TaskQuery { DueBefore = epoch }));
        Assert.Empty(await ListAsync(new TaskQuery { Completed = true, Priority = TaskPriority.High }));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 9)]
    [InlineData(-10, -1)]
    [InlineData(-20, -19)]
    public async Task A_bound_between_two_microseconds_includes_the_first(long dueTicks, long boundTicks)
    {
        var due = DateTimeOffset.UnixEpoch.AddTicks(dueTicks);
        var task = new StoredTask("a", new TaskEntry { Title = "t", DueDate = due });
        await store.CreateAsync(task, null, Cancel);
        var bound = DateTimeOffset.UnixEpoch.AddTicks(boundTicks);
        Assert.Equal([task], await ListAsync(new TaskQuery { DueBefore = bound }));
        Assert.Empty(await ListAsync(new TaskQuery { DueBefore = due }));
    }

    [Fact]
    public async Task The_last_microsecond_of_all_is_due_before_the_last_time_of_all()
    {
        var task = new StoredTask("a", new TaskEntry { Title = "t", DueDate = DateTimeOffset.MaxValue });
        await store.CreateAsync(task, null, Cancel);
        Assert.Equal([task], await ListAsync(new TaskQuery { DueBefore = DateTimeOffset.MaxValue }));
    }

    [Fact]
    public async Task A_list_longer_than_a_page_is_whole()
    {
        var tasks = Enumerable.Range(0, 1_000).Select(_ => Some.Task()).ToList();
        await Task.WhenAll(tasks.Select(task => store.CreateAsync(task, null, Cancel).AsTask()));
        Assert.Equal(tasks, await ListAsync(TaskQuery.All));
        Assert.Equal(tasks.Skip(500), await ListAsync(new TaskQuery { After = tasks[499].Id }));
    }

    [Fact]
    public async Task Of_64_writers_that_expect_one_version_one_wins_each_round()
    {
        const int writers = 64;
        await store.CreateAsync(Some.Task("a", "0"), null, Cancel);
        for (var round = 0; round < TestRoot.Scale(10, 200); round++)
        {
            var seen = (await store.FindAsync("a", Cancel))!.Version;
            var results = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
            {
                var mine = Some.Task("a", $"{round}-{writer}");
                return (mine, refusal: await store.UpdateAsync(mine, seen, Cancel));
            })));
            var winner = Assert.Single(results, result => result.refusal is null);
            Assert.All(results.Except([winner]), result => Assert.Equal(ErrorKind.VersionMismatch, result.refusal));
            Assert.Equal(winner.mine, await store.FindAsync("a", Cancel));
        }
    }

    [Fact]
    public async Task Of_64_that_create_or_delete_one_task_one_wins()
    {
        for (var round = 0; round < TestRoot.Scale(5, 100); round++)
        {
            var tasks = Enumerable.Range(0, 64).Select(writer => Some.Task("a", $"{writer}"));
            var created = await Task.WhenAll(
                tasks.Select(task => Task.Run(async () => await store.CreateAsync(task, null, Cancel))));
            Assert.Single(created, won => won);
            var deleted = await Task.WhenAll(Enumerable.Range(0, 64)
                .Select(_ => Task.Run(async () => await store.DeleteAsync("a", null, Cancel))));
            Assert.Single(deleted, refusal => refusal is null);
        }
    }

    [Fact]
    public async Task A_list_while_others_write_has_every_lasting_task_once_and_whole()
    {
        var lasting = Enumerable.Range(0, 600).Select(i => Some.Task($"t{i:d4}", "lasting")).ToList();
        await Task.WhenAll(lasting.Select(task => store.CreateAsync(task, null, Cancel).AsTask()));
        using var enough = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            for (var i = 0; !enough.IsCancellationRequested; i++)
            {
                await store.CreateAsync(Some.Task($"t{i % 600:d4}x", "passing"), null, Cancel);
                await store.UpdateAsync(Some.Task($"t{i % 600:d4}", "changed"), null, Cancel);
                await store.DeleteAsync($"t{(i + 300) % 600:d4}x", null, Cancel);
            }
        });
        for (var round = 0; round < TestRoot.Scale(20, 500); round++)
        {
            var listed = await ListAsync(TaskQuery.All);
            Assert.Equal(listed.OrderBy(task => task.Id, StringComparer.Ordinal), listed);
            Assert.Equal(listed.Count, listed.Select(task => task.Id).Distinct().Count());
            Assert.Equal(
                lasting.Select(task => task.Id),
                listed.Select(task => task.Id).Where(id => !id.EndsWith('x')));
            Assert.All(listed, task => Assert.Equal(task.Version, task.Entry.ComputeVersion()));
        }
        await enough.CancelAsync();
        await writer;
    }

    [Fact]
    public async Task A_change_that_is_cancelled_before_it_begins_changes_nothing()
    {
        var task = Some.Task("a");
        await store.CreateAsync(task, null, Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.CreateAsync(Some.Task("b"), null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.UpdateAsync(Some.Task("a", "x"), null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.DeleteAsync("a", null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.FindAsync("a", Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.ListAsync(TaskQuery.All, Cancelled).ToListAsync(Cancel));
        Assert.Equal([task], await ListAsync(TaskQuery.All));
    }

    [Fact]
    public async Task An_open_engine_can_be_pinged() =>
        Assert.Null(await Record.ExceptionAsync(async () => await store.PingAsync(Cancel)));

    /// <summary>A new engine, not open yet.</summary>
    private protected abstract ITaskStore Create();

    private async Task<List<StoredTask>> ListAsync(TaskQuery query) =>
        await store.ListAsync(query, Cancel).ToListAsync(Cancel);
}
