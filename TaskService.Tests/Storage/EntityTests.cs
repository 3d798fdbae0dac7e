using System.Reflection;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>The descriptions of entities agree with themselves and with their types.</summary>
public sealed class EntityTests
{
    public static TheoryData<string> Tables => [.. Entities.All.Select(entity => entity.Table)];

    [Fact]
    public void The_entities_of_the_service_have_no_mistake() => Assert.Empty(Entities.Problems(Entities.All));

    [Fact]
    public void A_mistake_in_a_description_is_one_line_that_says_where()
    {
        var twice = new Entity<Shelf, ShelfRow>("twice", () => LibraryJson.File.ShelfRow, Room("room"), Room("Room"));
        var id = new Entity<Shelf, ShelfRow>("ids", () => LibraryJson.File.ShelfRow, Room("id"));
        var filter = new Entity<Shelf, ShelfRow>("filtered", () => LibraryJson.File.ShelfRow, Room("room"))
        {
            Filters = [Filter.Equal<Shelf, Query<Shelf>>("colour", _ => null)],
        };
        var reference = new Entity<Shelf, ShelfRow>("referring", () => LibraryJson.File.ShelfRow, Room("room"))
        {
            References = [new("house_id", "houses", shelf => shelf.Room)],
        };
        var engines = new Entity<Shelf, ShelfRow>("idempotency_keys", () => LibraryJson.File.ShelfRow, Room("room"));
        Assert.Equal(
            [
                "storage: the entity twice has two columns room",
                "storage: the entity ids has two columns id",
                "storage: the entity filtered has a filter on the column colour, which it does not have",
                "storage: the entity referring has a reference in the column house_id, which it does not have, or which"
                + " may be null",
                "storage: the entity referring refers to houses, which is no entity before it; the list is in"
                + " Entities.cs",
                "storage: the entity idempotency_keys has a table of the engine's",
                "storage: the entity shelves is there twice",
            ],
            Entities.Problems([twice, id, filter, reference, engines, ShelfRow.Entity, ShelfRow.Entity]));
        // Parents come first.
        Assert.Single(Entities.Problems([BookRow.Entity, ShelfRow.Entity]));
        Assert.Empty(Entities.Problems([ShelfRow.Entity, BookRow.Entity]));
    }

    [Fact]
    public async Task A_mistake_in_a_description_ends_the_program_with_exit_code_78()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("c.yaml");
        await File.WriteAllTextAsync(
            file,
            "task-db: { memory: }\nlogging: { handlers: { console: { type: console, level: none } } }\n");
        var build = Program.Application(builder => builder.Services.AddStorage(
            [ShelfRow.Entity, ShelfRow.Entity], _ => throw new InvalidOperationException("not reached"), null!));
        Assert.Equal(78, await Program.RunAsync(["-c", file], build));
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public void Every_property_has_a_column(string table)
    {
        var entity = EntityOf(table);
        var properties = entity.Accept(new Properties());
        Assert.True(
            properties.Count == entity.Columns.Count,
            $"{table} has {entity.Columns.Count} columns for the properties {string.Join(", ", properties)}: add the"
            + " missing one to its row in Storage, and to schema/sqlite and schema/postgres");
    }

    private static Column<ShelfRow> Room(string name) =>
        Column.Text<ShelfRow>(name, row => row.Room, (row, value) => row.Room = value);

    private static Entity EntityOf(string table) => Entities.All.Single(entity => entity.Table == table);

    private sealed class Properties : IEntityVisitor<List<string>>
    {
        public List<string> Visit<T>(Entity<T> entity)
            where T : class, IContent =>
            [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(one => one.Name)];
    }
}
