using System.Data;
using TaskService.Storage;

namespace TaskService.Tests.Storage;

/// <summary>The tables of an engine with SQL, as its migrations make them, are those that the entities describe.
/// </summary>
/// <param name="schema">The folder of the migrations.</param>
/// <param name="typeOf">The name of a type in the engine.</param>
public abstract class TableContract(string schema, Func<DbType, string> typeOf)
{
    public static TheoryData<string> Tables => [.. Entities.All.Select(entity => entity.Table)];

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task The_table_is_as_described(string table)
    {
        var entity = Entities.All.Single(entity => entity.Table == table);
        var described = entity.Columns.Prepend(new ColumnType("id", DbType.String, IsNullable: false))
            .Select(column => $"{column.Name} {typeOf(column.Type)}{(column.IsNullable ? " null" : "")}").ToList();
        var columns = await ColumnsAsync(table);
        Assert.True(
            described.SequenceEqual(columns),
            $"the columns of {table}: add a migration to {schema}, or change the row in {nameof(Entities)}.cs:\n"
            + $"in the table: {string.Join(", ", columns)}\nin the row:   {string.Join(", ", described)}");
    }

    /// <summary>The columns of a table in a new storage: name, type, and <c>null</c> for those that may be.</summary>
    protected abstract Task<IReadOnlyList<string>> ColumnsAsync(string table);
}
