using System.Collections.Concurrent;
using System.Data;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>A statement with its parameters, which can be retried, and the result of its last execution.</summary>
/// <param name="sql">With named parameters.</param>
/// <param name="set">Sets the parameters.</param>
internal abstract partial class PostgresStatement(string sql, Action<SqlParameters> set)
{
    private static readonly ConcurrentDictionary<string, string> TextsByPlace = new();

    public string Sql => sql;

    /// <summary>The number of rows read or changed.</summary>
    public int RowCount { get; set; }

    /// <summary>The error of this statement alone; others of its batch may have succeeded.</summary>
    public Exception? Refusal { get; set; }

    /// <summary>
    /// The command with positional parameters, as PostgreSQL has them. With named ones the driver would parse the text
    /// each time.
    /// </summary>
    public NpgsqlBatchCommand ToCommand()
    {
        var command = new NpgsqlBatchCommand();
        set(command);
        // Bounded by the number of statements in the program; each sets its parameters always in the same order.
        command.CommandText = TextsByPlace.GetOrAdd(
            sql,
            static (sql, all) => Name().Replace(
                sql, name => string.Create(CultureInfo.InvariantCulture, $"${PlaceOf(name.Value, all)}")),
            command.Parameters);
        foreach (NpgsqlParameter parameter in command.Parameters)
        {
            parameter.ParameterName = "";
        }
        return command;
    }

    private static int PlaceOf(string name, NpgsqlParameterCollection all) => all.IndexOf(name) is >= 0 and var index
        ? index + 1 : throw new InvalidOperationException($"{name} is not set");

    [GeneratedRegex("@[a-z_][a-z0-9_]*")]
    private static partial Regex Name();
}

/// <summary>A statement that changes rows.</summary>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
internal sealed class PostgresChange(string sql, Action<SqlParameters> set) : PostgresStatement(sql, set)
{
    /// <summary>Whether it may share a transaction in a batch: it is short, and locks no row of another.</summary>
    public bool IsBatchable { get; init; }

    /// <summary>An upper bound of its position in the write-ahead log (LSN); null without a replica.</summary>
    public string? Position { get; set; }
}

/// <summary>The key of a lookup of one row.</summary>
/// <param name="Name">Of the parameter.</param>
/// <param name="Value">Of the first column.</param>
internal readonly record struct PostgresKey(string Name, string Value);

/// <summary>A statement that reads rows.</summary>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
internal abstract class PostgresQuery(string sql, Action<SqlParameters> set) : PostgresStatement(sql, set)
{
    /// <summary>The key of a lookup of one row, which can be batched; null for any other query.</summary>
    public PostgresKey? Key { get; init; }

    /// <summary>Whether the result comes from a replica.</summary>
    public virtual bool IsFromReplica { get; set; }

    /// <summary>Looks up one row by its first column. Several such queries can be joined.</summary>
    /// <param name="sql">Compares with one parameter.</param>
    /// <param name="key">That parameter.</param>
    /// <param name="row">Reads the current row.</param>
    public static PostgresQuery<T> Find<T>(string sql, PostgresKey key, Func<NpgsqlDataReader, T> row) =>
        new(sql, parameters => parameters.Set(key.Name, DbType.String, key.Value), row) { Key = key };

    /// <summary>Joins lookups with the same text to one query each.</summary>
    /// <param name="finds">Created by <see cref="Find"/>; they get their rows.</param>
    public static List<PostgresQuery> Join(List<PostgresQuery> finds) => finds is [_]
        ? finds
        : [.. finds.GroupBy(find => find.Sql).Select(
            same => new Joined(
                OfAll(same.Key, same.First().Key!.Value.Name), same.ToLookup(find => find.Key!.Value.Value)))];

    /// <summary>Rewrites a lookup of one row to one of all <c>@keys</c>.</summary>
    public static string OfAll(string sql, string name) =>
        // A sub-select hides the number of keys from the planner: one generic plan serves all, instead of one per call.
        sql.Replace($"= {name}", "= ANY((SELECT @keys)::text[])", StringComparison.Ordinal);

    /// <summary>Reads the current row.</summary>
    public abstract void Take(NpgsqlDataReader reader);

    /// <summary>Discards the rows of a failed attempt before a retry.</summary>
    public abstract void Reset();

    private sealed class Joined(string sql, ILookup<string, PostgresQuery> finds)
        : PostgresQuery(sql, parameters => parameters.Items.Add(
            new NpgsqlParameter<string[]>("@keys", [.. finds.Select(same => same.Key)])))
    {
        public override bool IsFromReplica
        {
            set => Each(find => find.IsFromReplica = value);
        }

        public override void Take(NpgsqlDataReader reader)
        {
            foreach (var find in finds[reader.GetString(0)])
            {
                find.Take(reader);
            }
        }

        public override void Reset() => Each(find => find.Reset());

        private void Each(Action<PostgresQuery> apply)
        {
            foreach (var find in finds.SelectMany(same => same))
            {
                apply(find);
            }
        }
    }
}

/// <inheritdoc/>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
/// <param name="row">Reads the current row.</param>
internal sealed class PostgresQuery<T>(string sql, Action<SqlParameters> set, Func<NpgsqlDataReader, T> row)
    : PostgresQuery(sql, set)
{
    public List<T> Rows { get; private set; } = [];

    /// <summary>Length of a row's texts; rows beyond <see cref="KeysetPages.CharactersMax"/> are not kept.</summary>
    public Func<T, int> CharactersOf { get; init; } = _ => 0;

    /// <summary>Total of the kept rows.</summary>
    public int Characters { get; private set; }

    /// <summary>Whether rows were not kept.</summary>
    public bool IsCut { get; private set; }

    public override void Take(NpgsqlDataReader reader)
    {
        try
        {
            if (Characters >= KeysetPages.CharactersMax)
            {
                IsCut = true;
                return;
            }
            var taken = row(reader);
            Rows.Add(taken);
            Characters += CharactersOf(taken);
            RowCount = Rows.Count;
        }
        catch (Exception error)
        {
            // Another program wrote this row. Later rows, also those of other queries, are still read.
            Refusal = error;
        }
    }

    public override void Reset() =>
        (Rows, RowCount, Refusal, Characters, IsCut) = ([], 0, null, 0, false);
}
