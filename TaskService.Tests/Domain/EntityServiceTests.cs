using TaskService.Domain;
using TaskService.Tests.Storage;

namespace TaskService.Tests.Domain;

public sealed class EntityServiceTests
{
    [Fact]
    public async Task The_idempotency_key_of_a_child_is_that_of_its_parent_alone()
    {
        using var engine = new TestEngine("memory");
        await using var stores = await Library.OpenAsync(engine);
        await stores.AddShelfAsync("s");
        await stores.AddShelfAsync("t");
        var books = new BookService(stores.Books);
        var key = new IdempotencyKey("k", BodyHash: 1);
        var first = await books.CreateAsync(new Book("s", "n"), key, CancellationToken.None);
        var other = await books.CreateAsync(new Book("t", "n"), key, CancellationToken.None);
        var again = await books.CreateAsync(new Book("s", "n"), key, CancellationToken.None);
        Assert.Equal([first.Id], await stores.BooksAsync("s"));
        Assert.Equal([other.Id], await stores.BooksAsync("t"));
        Assert.Equal(first, again);
        var reused = await books.CreateAsync(
            new Book("s", "m"), key with { BodyHash = 2 }, CancellationToken.None);
        Assert.Equal(ErrorKind.KeyReused, reused.Refusal);
    }

    private sealed class BookService(IStore<Book> store)
        : EntityService<Book>(store, new IdGenerator(TimeProvider.System), TimeProvider.System, "books")
    {
        protected override string KeyScopeOf(Book value) => $"{base.KeyScopeOf(value)} {value.ShelfId}";
    }
}
