using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using TaskService.Domain;
using TaskService.Storage;

namespace TaskService.Tests.Storage;

/// <summary>Two entities, the second of which belongs to the first.</summary>
internal static class Library
{
    /// <summary>For SQLite, which looks by itself, and for PostgreSQL, which has the foreign key.</summary>
    public const string Tables =
        "CREATE TABLE shelves (id TEXT NOT NULL PRIMARY KEY, room TEXT NOT NULL);"
        + " CREATE TABLE books (id TEXT NOT NULL PRIMARY KEY, shelf_id TEXT NOT NULL REFERENCES shelves (id),"
        + " name TEXT NOT NULL);";

    public static async Task<LibraryStores> OpenAsync(TestEngine engine)
    {
        await engine.AddTablesAsync(Tables);
        return await OpenAgainAsync(engine);
    }

    public static Task<LibraryStores> OpenAgainAsync(TestEngine engine) => OpenAsync(engine.Create());

    public static async Task<LibraryStores> OpenAsync(IEngine engine)
    {
        var stores = new LibraryStores(engine, engine.Store(ShelfRow.Entity), engine.Store(BookRow.Entity));
        await engine.OpenAsync(CancellationToken.None);
        return stores;
    }
}

internal sealed record LibraryStores(IEngine Engine, IStore<Shelf> Shelves, IStore<Book> Books) : IAsyncDisposable
{
    public Task<ErrorKind?> AddShelfAsync(string id) =>
        Shelves.CreateAsync(new Stored<Shelf>(id, new Shelf("r")), null, CancellationToken.None).AsTask();

    public Task<ErrorKind?> AddBookAsync(string id, string shelf, IdempotencyRecord? idempotency = null) =>
        Books.CreateAsync(
            new Stored<Book>(id, new Book(shelf, "n")), idempotency, CancellationToken.None).AsTask();

    public Task<ErrorKind?> DeleteShelfAsync(string id) =>
        Shelves.DeleteAsync(id, null, CancellationToken.None).AsTask();

    public Task<ErrorKind?> DeleteBookAsync(string id) =>
        Books.DeleteAsync(id, null, CancellationToken.None).AsTask();

    public async Task<List<string>> BooksAsync(string? shelf) => await Books
        .ListAsync(new BookQuery { ShelfId = shelf }, CancellationToken.None)
        .Select(book => book.Id)
        .ToListAsync();

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}

internal sealed record Shelf(string Room) : IContent
{
    public ContentVersion ComputeVersion() => new ContentHash(Room).End();
}

internal sealed record Book(string ShelfId, string Name) : IContent
{
    public ContentVersion ComputeVersion() => new ContentHash(ShelfId, Name).End();
}

internal sealed record BookQuery : Query<Book>
{
    public string? ShelfId { get; init; }

    public override bool Matches(Book value) => ShelfId is null || value.ShelfId == ShelfId;
}

internal sealed record ShelfRow : IRow<Shelf, ShelfRow>
{
    public static Entity<Shelf> Entity { get; } = new Entity<Shelf, ShelfRow>(
        "shelves",
        () => LibraryJson.File.ShelfRow,
        Column.Text<ShelfRow>("room", row => row.Room, (row, value) => row.Room = value));

    public string Room { get; set; } = "";

    public static ShelfRow FromDomain(Shelf value) => new() { Room = value.Room };

    public bool TryToDomain([NotNullWhen(true)] out Shelf? value, [NotNullWhen(false)] out string? problem)
    {
        (value, problem) = Room.Length > 0 ? (new Shelf(Room), null) : ((Shelf?)null, "room must not be empty");
        return value is not null;
    }
}

internal sealed record BookRow : IRow<Book, BookRow>
{
    public static Entity<Book> Entity { get; } = new Entity<Book, BookRow>(
        "books",
        () => LibraryJson.File.BookRow,
        Column.Text<BookRow>("shelf_id", row => row.ShelfId, (row, value) => row.ShelfId = value),
        Column.Text<BookRow>("name", row => row.Name, (row, value) => row.Name = value))
    {
        Filters = [Filter.Equal<Book, BookQuery>("shelf_id", query => query.ShelfId)],
        References = [new("shelf_id", ShelfRow.Entity.Table, book => book.ShelfId)],
    };

    public string ShelfId { get; set; } = "";

    public string Name { get; set; } = "";

    public static BookRow FromDomain(Book value) => new() { ShelfId = value.ShelfId, Name = value.Name };

    public bool TryToDomain([NotNullWhen(true)] out Book? value, [NotNullWhen(false)] out string? problem)
    {
        (value, problem) = Name.Length > 0 ? (new Book(ShelfId, Name), null) : ((Book?)null, "name must not be empty");
        return value is not null;
    }
}

[JsonSerializable(typeof(ShelfRow))]
[JsonSerializable(typeof(BookRow))]
internal sealed partial class LibraryJson : JsonSerializerContext
{
    public static LibraryJson File { get; } = new(RowFile.Options());
}
