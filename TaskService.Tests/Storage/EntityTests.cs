using System.Data;
using System.Reflection;
using Npgsql;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Storage.Postgres;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>The descriptions of entities agree with themselves, with their types, and with the schema.</summary>
public sealed class EntityTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string> Tables => [.. Entities.All.Select(entity => entity.Table)];

    [Fact]
    public void The_entities_of_the_service_have_no_mistake() => Assert.Empty(Entities.Problems(Entities.All));

    [Fact]
    public void A_mistake_in_a_description_is_one_line_that_says_where()
    {
        var twice = new Entity<Shelf, ShelfRow>("twice", LibraryJson.File.ShelfRow, Room("room"), Room("Room"));
        var id = new Entity<Shelf, ShelfRow>("ids", LibraryJson.File.ShelfRow, Room("id"));
        var filter = new Entity<Shelf, ShelfRow>("filtered", LibraryJson.File.ShelfRow, Room("room"))
        {
            Filters = [Filter.Equal<Shelf, Query<Shelf>>("colour", _ => null)],
        };
        var reference = new Entity<Shelf, ShelfRow>("referring", LibraryJson.File.ShelfRow, Room("room"))
        {
            References = [new("house_id", "houses", shelf => shelf.Room)],
        };
        var engines = new Entity<Shelf, ShelfRow>("idempotency_keys", LibraryJson.File.ShelfRow, Room("room"));
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

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task The_table_of_SQLite_is_as_described(string table)
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("schema.db");
        await using (var engine = new TaskService.Storage.Sqlite.SqliteEngine(
            file,
            import: null,
            Microsoft.Extensions.Logging.Abstractions.NullLogger<TaskService.Storage.Sqlite.SqliteEngine>.Instance))
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        using var database = new SqliteDatabase(file);
        Assert.Equal(
            Described(table, type => type switch
            {
                DbType.String => "TEXT",
                DbType.Double => "REAL",
                _ => "INTEGER",
            }),
            database.Rows($"SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')")
                .Select(row => $"{row[0]} {row[1]}{((long)row[2] == 0 ? " null" : "")}"));
        Assert.Equal("id", database.Scalar($"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1"));
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task The_table_of_PostgreSQL_is_as_described(string table)
    {
        var name = servers.Primary.CreateDatabase();
        await using (var engine = PostgresTaskStore.CreateEngine($"primary: '{servers.Primary.Connection(name)}'"))
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        await using var connection = new NpgsqlConnection(servers.Primary.Connection(name));
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            Described(table, type => type switch
            {
                DbType.String => "text",
                DbType.Boolean => "boolean",
                DbType.Double => "double precision",
                _ => "bigint",
            }),
            await TextsAsync(
                connection,
                "SELECT column_name || ' ' || data_type || CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END"
                + $" FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"));
        // Its name says that an id is taken, and its order is that of lists.
        Assert.Equal(
            [$"{table}_pkey C"],
            await TextsAsync(
                connection,
                "SELECT conname || ' ' || collname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND"
                + " attnum = ANY (conkey) JOIN pg_collation l ON l.oid = attcollation"
                + $" WHERE contype = 'p' AND conrelid = '{table}'::regclass AND attname = 'id'"));
        Assert.Equal(
            EntityOf(table).Parents.Select(parent => $"{parent.Column} {parent.Table}").Order(),
            await TextsAsync(
                connection,
                "SELECT attname || ' ' || confrelid::regclass FROM pg_constraint JOIN pg_attribute ON"
                + " attrelid = conrelid AND attnum = ANY (conkey)"
                + $" WHERE contype = 'f' AND conrelid = '{table}'::regclass ORDER BY 1"));
    }

    private static Column<ShelfRow> Room(string name) =>
        Column.Text<ShelfRow>(name, row => row.Room, (row, value) => row.Room = value);

    private static Entity EntityOf(string table) => Entities.All.Single(entity => entity.Table == table);

    private static IEnumerable<string> Described(string table, Func<DbType, string> typeOf) =>
        EntityOf(table).Columns.Prepend(new ColumnType("id", DbType.String, IsNullable: false))
            .Select(column => $"{column.Name} {typeOf(column.Type)}{(column.IsNullable ? " null" : "")}");

    private static async Task<List<string>> TextsAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var texts = new List<string>();
        while (await reader.ReadAsync())
        {
            texts.Add(reader.GetString(0));
        }
        return texts;
    }

    private sealed class Properties : IEntityVisitor<List<string>>
    {
        public List<string> Visit<T>(Entity<T> entity)
            where T : class, IContent =>
            [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(one => one.Name)];
    }
}
