using TaskService.Domain;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>There is never a value without its parent, on every engine.</summary>
public sealed class ReferenceTests
{
    private const int LeadSpinsMin = 16;
    private const int LeadSpinsMax = 1_000_000;

    public static TheoryData<string> Engines => TestEngine.Names;

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_child_needs_its_parent_and_keeps_it(string name)
    {
        using var engine = new TestEngine(name);
        await using var stores = await Library.OpenAsync(engine);
        Assert.Equal(ErrorKind.ParentNotFound, await stores.AddBookAsync("b", "s"));
        Assert.Null(await stores.AddShelfAsync("s"));
        Assert.Null(await stores.AddShelfAsync("t"));
        Assert.Null(await stores.AddBookAsync("b", "s"));
        Assert.Null(await stores.AddBookAsync("c", "s"));
        Assert.Equal(ErrorKind.IdTaken, await stores.AddBookAsync("c", "t"));
        Assert.Equal(ErrorKind.HasChildren, await stores.DeleteShelfAsync("s"));
        Assert.Null(await stores.DeleteShelfAsync("t"));
        Assert.Null(await stores.DeleteBookAsync("b"));
        Assert.Equal(ErrorKind.NotFound, await stores.DeleteBookAsync("b"));
        Assert.Equal(ErrorKind.HasChildren, await stores.DeleteShelfAsync("s"));
        Assert.Null(await stores.DeleteBookAsync("c"));
        Assert.Null(await stores.DeleteShelfAsync("s"));
        Assert.Equal(ErrorKind.NotFound, await stores.DeleteShelfAsync("s"));
        Assert.Equal(ErrorKind.ParentNotFound, await stores.AddBookAsync("d", "s"));
        Assert.Empty(await stores.BooksAsync(null));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_parent_is_kept_after_a_restart(string name)
    {
        using var engine = new TestEngine(name);
        await using (var stores = await Library.OpenAsync(engine))
        {
            await stores.AddShelfAsync("s");
            await stores.AddBookAsync("b", "s");
        }
        await using var again = await Library.OpenAgainAsync(engine);
        Assert.Equal(engine.IsDurable ? ErrorKind.HasChildren : ErrorKind.NotFound, await again.DeleteShelfAsync("s"));
        Assert.Equal(engine.IsDurable ? ["b"] : [], await again.BooksAsync("s"));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_child_cannot_move_to_another_parent(string name)
    {
        using var engine = new TestEngine(name);
        await using var stores = await Library.OpenAsync(engine);
        await stores.AddShelfAsync("s");
        await stores.AddShelfAsync("t");
        await stores.AddBookAsync("b", "s");
        var before = (await stores.Books.FindAsync("b", CancellationToken.None))!;
        var moved = new Stored<Book>("b", new Book("t", "other"));
        foreach (var expected in new ContentVersion?[] { null, before.Version })
        {
            Assert.Equal(
                ErrorKind.NotFound, await stores.Books.UpdateAsync(moved, expected, CancellationToken.None));
        }
        Assert.Equal(before, await stores.Books.FindAsync("b", CancellationToken.None));
        var changed = new Stored<Book>("b", new Book("s", "other"));
        Assert.Null(await stores.Books.UpdateAsync(changed, before.Version, CancellationToken.None));
        Assert.Null(await stores.DeleteShelfAsync("t"));
        Assert.Equal(ErrorKind.HasChildren, await stores.DeleteShelfAsync("s"));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_create_without_its_parent_leaves_no_key(string name)
    {
        using var engine = new TestEngine(name);
        await using var stores = await Library.OpenAsync(engine);
        var record = new IdempotencyRecord("books k", 1, "b", default, DateTimeOffset.UtcNow);
        Assert.Equal(ErrorKind.ParentNotFound, await stores.AddBookAsync("b", "s", record));
        Assert.Null(await stores.Books.FindKeyAsync("books k", CancellationToken.None));
        await stores.AddShelfAsync("s");
        Assert.Null(await stores.AddBookAsync("b", "s", record));
        Assert.Equal("b", (await stores.Books.FindKeyAsync("books k", CancellationToken.None))!.Id);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Of_a_new_child_and_the_deletion_of_its_parent_one_is_refused(string name)
    {
        using var engine = new TestEngine(name);
        await using var stores = await Library.OpenAsync(engine);
        var (kept, deleted) = (0, 0);
        // By how much the deletion begins later. Whoever wins begins later the next time, by twice as much for as long
        // as it wins, so that they meet however much longer one of them takes.
        var (lead, step, wasDeleted) = (0, LeadSpinsMin, false);
        // In memory there is less between them.
        var rounds = engine.IsDurable ? TestRoot.Scale(60, 1_000) : TestRoot.Scale(1_500, 100_000);
        // Until each has won, so that they have met.
        for (var round = 0; round < rounds || ((kept == 0 || deleted == 0) && round < rounds * 100); round++)
        {
            var shelf = $"s{round}";
            await stores.AddShelfAsync(shelf);
            var start = new Start(2);
            var create = start.RunAsync(-lead, () => stores.AddBookAsync($"b{round}", shelf));
            var delete = start.RunAsync(lead, () => stores.DeleteShelfAsync(shelf));
            var isDeleted = await delete is null;
            Assert.Equal(isDeleted ? ErrorKind.ParentNotFound : null, await create);
            Assert.Equal(isDeleted ? null : ErrorKind.HasChildren, await delete);
            Assert.Equal(isDeleted ? [] : [$"b{round}"], await stores.BooksAsync(shelf));
            Assert.Equal(isDeleted, await stores.Shelves.FindAsync(shelf, CancellationToken.None) is null);
            (kept, deleted) = isDeleted ? (kept, deleted + 1) : (kept + 1, deleted);
            step = isDeleted == wasDeleted ? Math.Min(step * 2, LeadSpinsMax) : LeadSpinsMin;
            lead = Math.Clamp(isDeleted ? lead + step : lead - step, -LeadSpinsMax, LeadSpinsMax);
            wasDeleted = isDeleted;
        }
        Assert.True(kept > 0 && deleted > 0, $"{kept} kept, {deleted} deleted");
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Of_several_deletions_of_a_parent_one_wins_and_of_a_child_too(string name)
    {
        using var engine = new TestEngine(name);
        await using var stores = await Library.OpenAsync(engine);
        for (var round = 0; round < TestRoot.Scale(10, 200); round++)
        {
            await stores.AddShelfAsync("s");
            await stores.AddBookAsync("b", "s");
            Assert.Single(await OfManyAsync(() => stores.DeleteBookAsync("b")), refusal => refusal is null);
            Assert.Single(await OfManyAsync(() => stores.DeleteShelfAsync("s")), refusal => refusal is null);
        }
    }

    private static async Task<ErrorKind?[]> OfManyAsync(Func<Task<ErrorKind?>> delete)
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(delete)));
        Assert.Equal(15, results.Count(refusal => refusal == ErrorKind.NotFound));
        return results;
    }

    /// <summary>Makes several begin at once. They spin: a thread that is woken comes too late to meet the others.
    /// </summary>
    private sealed class Start(int missing)
    {
        private int missing = missing;

        /// <param name="spins">How long to wait then, if above 0, and a little more or less.</param>
        /// <param name="change">Begins.</param>
        public Task<ErrorKind?> RunAsync(int spins, Func<Task<ErrorKind?>> change) => Task.Factory.StartNew(
            () =>
            {
                Interlocked.Decrement(ref missing);
                while (Volatile.Read(ref missing) > 0)
                {
                    Thread.Yield();
                }
                Thread.SpinWait(Math.Max(spins, 0) + Random.Shared.Next(LeadSpinsMin));
                return change();
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default).Unwrap();
    }
}
