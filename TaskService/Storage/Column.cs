using System.Data;
using System.Data.Common;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>A column and its member of the row model.</summary>
/// <param name="Name">In the table.</param>
/// <param name="Type">Of its parameter.</param>
/// <param name="IsNullable">Whether it may be null in the table.</param>
/// <param name="Get">Its value in a row, or null.</param>
/// <param name="Read">Sets the member from the reader at this ordinal, and returns the length of a text.</param>
internal sealed record Column<TRow>(
    string Name, DbType Type, bool IsNullable, Func<TRow, object?> Get, Func<TRow, DbDataReader, int, int> Read);

/// <summary>Columns by their types.</summary>
internal static class Column
{
    public static Column<TRow> Text<TRow>(string name, Func<TRow, string?> get, Action<TRow, string> set) =>
        new(name, DbType.String, IsNullable: false, get, (row, reader, at) =>
        {
            var text = reader.GetString(at);
            set(row, text);
            return text.Length;
        });

    public static Column<TRow> OptionalText<TRow>(string name, Func<TRow, string?> get, Action<TRow, string?> set) =>
        new(name, DbType.String, IsNullable: true, get, (row, reader, at) =>
        {
            var text = reader.IsDBNull(at) ? null : reader.GetString(at);
            set(row, text);
            return text?.Length ?? 0;
        });

    public static Column<TRow> Flag<TRow>(string name, Func<TRow, bool> get, Action<TRow, bool> set) =>
        new(name, DbType.Boolean, IsNullable: false, row => get(row), (row, reader, at) =>
        {
            set(row, reader.GetBoolean(at));
            return 0;
        });

    public static Column<TRow> Number<TRow>(string name, Func<TRow, long> get, Action<TRow, long> set) =>
        new(name, DbType.Int64, IsNullable: false, row => get(row), (row, reader, at) =>
        {
            set(row, reader.GetInt64(at));
            return 0;
        });

    public static Column<TRow> OptionalNumber<TRow>(string name, Func<TRow, long?> get, Action<TRow, long?> set) =>
        new(name, DbType.Int64, IsNullable: true, row => get(row), (row, reader, at) =>
        {
            set(row, reader.IsDBNull(at) ? null : reader.GetInt64(at));
            return 0;
        });
}

/// <summary>A condition on a column that a query may ask for.</summary>
/// <param name="Column">One of the entity's.</param>
/// <param name="Operator">Of SQL, between the column and the value.</param>
/// <param name="Value">In a query, as the column holds it; null when the query does not restrict this.</param>
internal sealed record Filter<T>(string Column, string Operator, Func<Query<T>, object?> Value)
    where T : class, IContent
{
    /// <summary>The parameter of a statement: one column may have several filters.</summary>
    public string Parameter { get; } = Operator == "=" ? $"@{Column}" : $"@{Column}_bound";
}

/// <summary>Filters by their operators.</summary>
internal static class Filter
{
    public static Filter<T> Equal<T, TQuery>(string column, Func<TQuery, object?> value)
        where T : class, IContent
        where TQuery : Query<T> => new(column, "=", query => query is TQuery own ? value(own) : null);

    /// <summary>Below a bound, which is excluded.</summary>
    public static Filter<T> Below<T, TQuery>(string column, Func<TQuery, object?> value)
        where T : class, IContent
        where TQuery : Query<T> => new(column, "<", query => query is TQuery own ? value(own) : null);
}

/// <summary>A column that holds the id of a parent. It never changes.</summary>
/// <param name="Column">One of the entity's.</param>
/// <param name="Table">Of the parent.</param>
/// <param name="IdOf">The id of the parent.</param>
internal sealed record Reference<T>(string Column, string Table, Func<T, string> IdOf)
    where T : class, IContent;
