using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>What <see cref="IStore{T}"/> promises, on every engine and for every entity. The test class of an engine
/// inherits it.</summary>
/// <param name="name">Of the engine, as in the configuration.</param>
public abstract class StoreContract(string name) : IAsyncLifetime
{
    private TestEngine storage = null!;
    private IEngine engine = null!;
    private IStoreUnderTest store = null!;

    private static CancellationToken Cancel => CancellationToken.None;

    private static CancellationToken Cancelled => new(canceled: true);

    public async ValueTask InitializeAsync()
    {
        storage = new TestEngine(name);
        engine = storage.Create();
        store = Entity.Store(engine);
        await engine.OpenAsync(Cancel);
        await store.PrepareAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync();
        storage.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_created_value_can_be_found()
    {
        for (var i = 0; i < store.Values; i++)
        {
            var item = store.Special($"a-{i}", i);
            Assert.Null(await store.CreateAsync(item, null, Cancel));
            Assert.Equal(item, await store.FindAsync($"a-{i}", Cancel));
        }
    }

    [Fact]
    public async Task A_missing_value_is_not_found_updated_or_deleted()
    {
        Assert.Null(await store.FindAsync("none", Cancel));
        var item = store.Item("none", 1);
        Assert.Equal(ErrorKind.NotFound, await store.UpdateAsync(item, null, Cancel));
        Assert.Equal(ErrorKind.NotFound, await store.UpdateAsync(item, store.VersionOf(item), Cancel));
        Assert.Equal(ErrorKind.NotFound, await store.DeleteAsync("none", null, Cancel));
        Assert.Empty(await ListAsync());
        Assert.Empty(await store.ListIdsDescendingAsync(Cancel));
    }

    [Fact]
    public async Task An_id_is_taken_once()
    {
        Assert.Null(await store.CreateAsync(store.Item("a", 1), null, Cancel));
        Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(store.Item("a", 2), null, Cancel));
        Assert.Equal(store.Item("a", 1), await store.FindAsync("a", Cancel));
    }

    [Fact]
    public async Task A_deleted_value_is_gone_and_deleted_once()
    {
        await store.CreateAsync(store.Item("a", 1), null, Cancel);
        Assert.Null(await store.DeleteAsync("a", null, Cancel));
        Assert.Null(await store.FindAsync("a", Cancel));
        Assert.Empty(await ListAsync());
        Assert.Equal(ErrorKind.NotFound, await store.DeleteAsync("a", null, Cancel));
        Assert.Null(await store.CreateAsync(store.Item("a", 1), null, Cancel));
    }

    [Fact]
    public async Task An_update_replaces_everything()
    {
        await store.CreateAsync(store.Special("a", 0), null, Cancel);
        for (var i = store.Values - 1; i >= 0; i--)
        {
            var isSibling = store.IsSiblingOfFirst(i);
            var before = await store.FindAsync("a", Cancel);
            var refusal = await store.UpdateAsync(store.Special("a", i), null, Cancel);
            Assert.Equal(isSibling ? null : ErrorKind.NotFound, refusal);
            Assert.Equal(isSibling ? store.Special("a", i) : before, await store.FindAsync("a", Cancel));
        }
    }

    [Fact]
    public async Task A_change_that_expects_another_version_changes_nothing()
    {
        var (first, second) = (store.Item("a", 1), store.Item("a", 2));
        await store.CreateAsync(first, null, Cancel);
        Assert.Equal(ErrorKind.VersionMismatch, await store.UpdateAsync(second, store.VersionOf(second), Cancel));
        Assert.Equal(ErrorKind.VersionMismatch, await store.DeleteAsync("a", store.VersionOf(second), Cancel));
        Assert.Equal(first, await store.FindAsync("a", Cancel));
        Assert.Null(await store.UpdateAsync(second, store.VersionOf(first), Cancel));
        Assert.Null(await store.DeleteAsync("a", store.VersionOf(second), Cancel));
    }

    [Fact]
    public async Task The_revision_differs_after_each_change_and_only_then()
    {
        var seen = new List<long?> { store.Revision };
        await store.CreateAsync(store.Item("a", 1), null, Cancel);
        seen.Add(store.Revision);
        await store.UpdateAsync(store.Item("a", 2), null, Cancel);
        seen.Add(store.Revision);
        await store.DeleteAsync("a", null, Cancel);
        seen.Add(store.Revision);
        await ListAsync();
        await store.FindAsync("a", Cancel);
        Assert.Equal(seen[^1], store.Revision);
        // Who cannot know it never says one.
        Assert.Equal(seen[0] is null ? 1 : seen.Count, seen.Distinct().Count());
    }

    [Fact]
    public async Task Ids_that_differ_in_case_are_never_mixed_up()
    {
        // Named apart in their content, so that a mix-up shows.
        Assert.Null(await store.CreateAsync(store.Item("B", 1), null, Cancel));
        var isBoth = await store.CreateAsync(store.Item("b", 2), null, Cancel) is null;
        Assert.Equal(store.Item("B", 1), await store.FindAsync("B", Cancel));
        Assert.Equal(isBoth ? store.Item("b", 2) : null, await store.FindAsync("b", Cancel));
        Assert.Equal(isBoth ? ["B", "b"] : ["B"], (await ListAsync()).Select(store.IdOf));
        Assert.Equal(isBoth ? null : ErrorKind.NotFound, await store.DeleteAsync("b", null, Cancel));
        Assert.Equal(store.Item("B", 1), await store.FindAsync("B", Cancel));
    }

    [Fact]
    public async Task A_list_is_in_ordinal_id_order_both_ways()
    {
        string[] ids = ["b", "a", "Z", "a-", "0", "aa", "-", "Y"];
        foreach (var id in ids)
        {
            await store.CreateAsync(store.Item(id, 1), null, Cancel);
        }
        var ordered = ids.Order(StringComparer.Ordinal).ToList();
        Assert.Equal(ordered, (await ListAsync()).Select(store.IdOf));
        Assert.Equal(ordered.AsEnumerable().Reverse(), await store.ListIdsDescendingAsync(Cancel));
    }

    [Fact]
    public async Task A_list_begins_after_an_id_that_need_not_exist()
    {
        foreach (var id in new[] { "a", "c", "e" })
        {
            await store.CreateAsync(store.Item(id, 1), null, Cancel);
        }
        Assert.Equal(["c", "e"], (await ListAsync("a")).Select(store.IdOf));
        Assert.Equal(["c", "e"], (await ListAsync("b")).Select(store.IdOf));
        Assert.Equal(["a", "c", "e"], (await ListAsync("")).Select(store.IdOf));
        Assert.Empty(await ListAsync("e"));
        Assert.Empty(await ListAsync("z"));
    }

    [Fact]
    public async Task The_filters_of_a_list_match_what_the_query_matches()
    {
        var items = Enumerable.Range(0, store.Values).Select(i => store.Special($"v{i:d2}", i)).ToList();
        foreach (var item in items)
        {
            await store.CreateAsync(item, null, Cancel);
        }
        for (var i = 0; i < store.Queries; i++)
        {
            var (listed, matching) = await store.QueryAsync(i, items);
            Assert.Equal(matching, listed);
            Assert.InRange(matching.Count, 1, items.Count - 1);
        }
    }

    [Fact]
    public void Every_property_counts_for_the_version()
    {
        var missing = string.Join(", ", store.PropertiesOutsideOfTheVersion());
        Assert.True(missing.Length == 0, $"add to {nameof(IContent.ComputeVersion)}, or set in the case: {missing}");
    }

    [Fact]
    public async Task A_list_longer_than_a_page_is_whole()
    {
        var items = Enumerable.Range(0, 1_000).Select(i => store.Item($"{i:d4}", i)).ToList();
        await Task.WhenAll(items.Select(item => store.CreateAsync(item, null, Cancel)));
        Assert.Equal(items, await ListAsync());
        Assert.Equal(items.Skip(500), await ListAsync(store.IdOf(items[499])));
    }

    [Fact]
    public async Task Of_64_writers_that_expect_one_version_one_wins_each_round()
    {
        const int writers = 64;
        await store.CreateAsync(store.Item("a", 0), null, Cancel);
        for (var round = 0; round < TestRoot.Scale(10, 200); round++)
        {
            var seen = store.VersionOf((await store.FindAsync("a", Cancel))!);
            var results = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
            {
                var mine = store.Item("a", (round * writers) + writer + 1);
                return (mine, refusal: await store.UpdateAsync(mine, seen, Cancel));
            })));
            var winner = Assert.Single(results, result => result.refusal is null);
            Assert.All(results.Except([winner]), result => Assert.Equal(ErrorKind.VersionMismatch, result.refusal));
            Assert.Equal(winner.mine, await store.FindAsync("a", Cancel));
        }
    }

    [Fact]
    public async Task Of_64_that_create_or_delete_one_value_one_wins()
    {
        for (var round = 0; round < TestRoot.Scale(5, 100); round++)
        {
            var items = Enumerable.Range(0, 64).Select(writer => store.Item("a", writer));
            var created = await Task.WhenAll(
                items.Select(item => Task.Run(async () => await store.CreateAsync(item, null, Cancel))));
            Assert.Single(created, refusal => refusal is null);
            Assert.Equal(63, created.Count(refusal => refusal == ErrorKind.IdTaken));
            var deleted = await Task.WhenAll(Enumerable.Range(0, 64)
                .Select(_ => Task.Run(async () => await store.DeleteAsync("a", null, Cancel))));
            Assert.Single(deleted, refusal => refusal is null);
            Assert.Equal(63, deleted.Count(refusal => refusal == ErrorKind.NotFound));
        }
    }

    [Fact]
    public async Task A_list_while_others_write_has_every_lasting_value_once_and_whole()
    {
        var lasting = Enumerable.Range(0, 600).Select(i => store.Item($"t{i:d4}", i)).ToList();
        await Task.WhenAll(lasting.Select(item => store.CreateAsync(item, null, Cancel)));
        using var enough = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            for (var i = 0; !enough.IsCancellationRequested; i++)
            {
                await store.CreateAsync(store.Item($"t{i % 600:d4}x", i), null, Cancel);
                await store.UpdateAsync(store.Item($"t{i % 600:d4}", i + 600), null, Cancel);
                await store.DeleteAsync($"t{(i + 300) % 600:d4}x", null, Cancel);
            }
        });
        for (var round = 0; round < TestRoot.Scale(20, 500); round++)
        {
            var listed = await ListAsync();
            Assert.Equal(listed.OrderBy(store.IdOf, StringComparer.Ordinal), listed);
            Assert.Equal(listed.Count, listed.Select(store.IdOf).Distinct().Count());
            Assert.Equal(
                lasting.Select(store.IdOf),
                listed.Select(store.IdOf).Where(id => !id.EndsWith('x')));
            Assert.All(listed, item => Assert.True(store.IsWhole(item)));
        }
        await enough.CancelAsync();
        await writer;
    }

    [Fact]
    public async Task A_change_that_is_cancelled_before_it_begins_changes_nothing()
    {
        var item = store.Item("a", 1);
        await store.CreateAsync(item, null, Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.CreateAsync(store.Item("b", 1), null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.UpdateAsync(store.Item("a", 2), null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.DeleteAsync("a", null, Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.FindAsync("a", Cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.ListAsync(null, Cancelled));
        Assert.Equal([item], await ListAsync());
    }

    [Fact]
    public async Task An_open_engine_can_be_pinged() =>
        Assert.Null(await Record.ExceptionAsync(async () => await engine.PingAsync(Cancel)));

    /// <summary>The entity whose store is tested.</summary>
    private protected virtual StoreCase Entity => TaskCase.Instance;

    private async Task<List<object>> ListAsync(string? after = null) => await store.ListAsync(after, Cancel);
}
