using System.Data.Common;
using System.Globalization;

namespace TaskService.Storage.Sql;

/// <summary>A database as tools see it, whatever tables it has. Nothing is changed there.</summary>
/// <param name="openAsync">Opens a connection that only reads.</param>
/// <param name="selectDefaultSchema">Returns the schema of those who name none.</param>
/// <param name="selectHasSchema">Has a row if there is the <c>@schema</c>.</param>
/// <param name="selectTables">Returns the names of the tables of a <c>@schema</c>, in order.</param>
internal sealed class SqlDatabase(
    Func<CancellationToken, Task<DbConnection>> openAsync,
    string selectDefaultSchema,
    string selectHasSchema,
    string selectTables)
{
    /// <exception cref="DbException">It cannot be opened.</exception>
    public Task<DbConnection> OpenAsync(CancellationToken cancel) => openAsync(cancel);

    /// <returns>Null when there is none.</returns>
    public async Task<string?> DefaultSchemaAsync(DbConnection connection, CancellationToken cancel) =>
        (await ColumnAsync(connection, selectDefaultSchema, null, cancel)).FirstOrDefault();

    public async Task<bool> HasSchemaAsync(DbConnection connection, string schema, CancellationToken cancel) =>
        (await ColumnAsync(connection, selectHasSchema, schema, cancel)).Count > 0;

    public Task<List<string>> TablesAsync(DbConnection connection, string schema, CancellationToken cancel) =>
        ColumnAsync(connection, selectTables, schema, cancel);

    /// <summary>The number of rows of a table, all of which are read.</summary>
    public static async Task<long> CountAsync(
        DbConnection connection, string schema, string table, CancellationToken cancel)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM {Quoted(schema)}.{Quoted(table)}";
        return Convert.ToInt64(await command.ExecuteScalarAsync(cancel), CultureInfo.InvariantCulture);
    }

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static async Task<List<string>> ColumnAsync(
        DbConnection connection, string sql, string? schema, CancellationToken cancel)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        if (schema is not null)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = ("@schema", schema);
            command.Parameters.Add(parameter);
        }
        var values = new List<string>();
        await using var reader = await command.ExecuteReaderAsync(cancel);
        while (await reader.ReadAsync(cancel))
        {
            if (!await reader.IsDBNullAsync(0, cancel))
            {
                values.Add(Convert.ToString(reader.GetValue(0), CultureInfo.InvariantCulture)!);
            }
        }
        return values;
    }
}
