using System.Data;
using Npgsql;
using TaskService.Storage;

namespace TaskService.Tests.Storage.Postgres;

public sealed class PostgresTableTests(PostgresFixture servers) : TableContract("schema/postgres", type => type switch
{
    DbType.String => "text",
    DbType.Boolean => "boolean",
    DbType.Double => "double precision",
    _ => "bigint",
}), IClassFixture<PostgresFixture>
{
    protected override async Task<IReadOnlyList<string>> ColumnsAsync(string table)
    {
        var name = servers.Primary.CreateDatabase();
        await using (var engine = PostgresTaskStore.CreateEngine($"primary: '{servers.Primary.Connection(name)}'"))
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        await using var connection = new NpgsqlConnection(servers.Primary.Connection(name));
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        // Its name says that an id is taken, and its order is that of lists.
        Assert.Equal(
            [$"{table}_pkey C"],
            await TextsAsync(
                connection,
                "SELECT conname || ' ' || collname FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND"
                + " attnum = ANY (conkey) JOIN pg_collation l ON l.oid = attcollation"
                + $" WHERE contype = 'p' AND conrelid = '{table}'::regclass AND attname = 'id'"));
        Assert.Equal(
            Entities.All.Single(entity => entity.Table == table).Parents
                .Select(parent => $"{parent.Column} {parent.Table}").Order(),
            await TextsAsync(
                connection,
                "SELECT attname || ' ' || confrelid::regclass FROM pg_constraint JOIN pg_attribute ON"
                + " attrelid = conrelid AND attnum = ANY (conkey)"
                + $" WHERE contype = 'f' AND conrelid = '{table}'::regclass ORDER BY 1"));
        return await TextsAsync(
            connection,
            "SELECT column_name || ' ' || data_type || CASE is_nullable WHEN 'YES' THEN ' null' ELSE '' END"
            + $" FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position");
    }

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
}
