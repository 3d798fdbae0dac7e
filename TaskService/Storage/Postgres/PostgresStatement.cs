using System.Collections.Concurrent;
using System.Data;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>A statement with its parameters, which can be sent several times, and what came of the last.</summary>
/// <param name="sql">With names for its parameters.</param>
/// <param name="set">Sets them.</param>
internal abstract partial class PostgresStatement(string sql, Action<SqlParameters> set)
{
    private static readonly ConcurrentDictionary<string, string> TextsByPlace = new();

    public string Sql => sql;

    /// <summary>How many rows were read or changed.</summary>
    public int RowCount { get; set; }

    /// <summary>What is wrong with this one alone, when others that went with it may be right.</summary>
    public Exception? Refusal { get; set; }

    /// <summary>
    /// As it is sent: parameters go by their place, as PostgreSQL has them. Names would make the driver read the text
    /// anew each time.
    /// </summary>
    public NpgsqlBatchCommand ToCommand()
    {
        var command = new NpgsqlBatchCommand();
        set(command);
        // As many texts as the program has statements, of which each is always set in the same order.
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
    /// <summary>Whether it may go with others in one transaction: it is short, and locks no row of another.</summary>
    public bool IsBatchable { get; init; }

    /// <summary>Where it ends in the write-ahead log, at the latest; null when nobody will read behind it.</summary>
    public string? Position { get; set; }
}

/// <summary>What one row is looked for by.</summary>
/// <param name="Name">Of the parameter.</param>
/// <param name="Value">Of the first column.</param>
internal readonly record struct PostgresKey(string Name, string Value);

/// <summary>A statement that reads rows.</summary>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
internal abstract class PostgresQuery(string sql, Action<SqlParameters> set) : PostgresStatement(sql, set)
{
    /// <summary>The row that it looks for, when that is all it does; null for a query that goes alone.</summary>
    public PostgresKey? Key { get; init; }

    /// <summary>Whether a replica has answered.</summary>
    public virtual bool IsFromReplica { get; set; }

    /// <summary>Looks for one row by what its first column is. Several such queries can be one.</summary>
    /// <param name="sql">Compares with one parameter.</param>
    /// <param name="key">That parameter.</param>
    /// <param name="row">Reads the row that the reader stands on.</param>
    public static PostgresQuery<T> Find<T>(string sql, PostgresKey key, Func<NpgsqlDataReader, T> row) =>
        new(sql, parameters => TaskSql.Set(parameters, key.Name, DbType.String, key.Value), row) { Key = key };

    /// <summary>Makes one query of those that have the same text.</summary>
    /// <param name="finds">Made by <see cref="Find"/>; they get their rows.</param>
    public static List<PostgresQuery> Join(List<PostgresQuery> finds) => finds is [_]
        ? finds
        : [.. finds.GroupBy(find => find.Sql).Select(
            same => new Joined(
                OfAll(same.Key, same.First().Key!.Value.Name), same.ToLookup(find => find.Key!.Value.Value)))];

    /// <summary>The text of a query for one row, for the rows of all <c>@keys</c>.</summary>
    public static string OfAll(string sql, string name) =>
        // In a sub-select, the planner does not see how many there are: it makes one plan for all, else one each time.
        sql.Replace($"= {name}", "= ANY((SELECT @keys)::text[])", StringComparison.Ordinal);

    /// <summary>Takes the row that the reader stands on.</summary>
    public abstract void Take(NpgsqlDataReader reader);

    /// <summary>Forgets what a try that broke off has left.</summary>
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
/// <param name="row">Reads the row that the reader stands on.</param>
internal sealed class PostgresQuery<T>(string sql, Action<SqlParameters> set, Func<NpgsqlDataReader, T> row)
    : PostgresQuery(sql, set)
{
    public List<T> Rows { get; private set; } = [];

    /// <summary>Of a row; those behind <see cref="KeysetPages.CharactersMax"/> are not kept.</summary>
    public Func<T, int> CharactersOf { get; init; } = _ => 0;

    /// <summary>Of the rows that were kept.</summary>
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
            // Someone else wrote the row. Those behind it, of other queries as well, are read nevertheless.
            Refusal = error;
        }
    }

    public override void Reset() =>
        (Rows, RowCount, Refusal, Characters, IsCut) = ([], 0, null, 0, false);
}
