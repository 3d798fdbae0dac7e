using System.Data;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Storage.Sqlite;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

public sealed class SqliteTableTests() : TableContract("schema/sqlite", type => type switch
{
    DbType.String => "TEXT",
    DbType.Double => "REAL",
    _ => "INTEGER",
})
{
    protected override async Task<IReadOnlyList<string>> ColumnsAsync(string table)
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("schema.db");
        await using (var engine = new SqliteEngine(file, import: null, NullLoggerFactory.Instance))
        {
            await engine.OpenAsync(CancellationToken.None);
        }
        using var database = new SqliteDatabase(file);
        Assert.Equal("id", database.Scalar($"SELECT name FROM pragma_table_info('{table}') WHERE pk = 1"));
        return
        [
            .. database.Rows($"SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')")
                .Select(row => $"{row[0]} {row[1]}{((long)row[2] == 0 ? " null" : "")}"),
        ];
    }
}
