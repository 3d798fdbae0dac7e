using System.Collections.Concurrent;
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

    /// <summary>Whether it may go with others in one round trip: it is short, and locks no row of another.</summary>
    public bool GoesTogether { get; init; }

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
    /// <summary>Where it ends in the write-ahead log, at the latest; null when nobody will read behind it.</summary>
    public string? Position { get; set; }
}

/// <summary>A statement that reads rows.</summary>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
internal abstract class PostgresQuery(string sql, Action<SqlParameters> set) : PostgresStatement(sql, set)
{
    /// <summary>Whether a replica has answered.</summary>
    public bool IsFromReplica { get; set; }

    /// <summary>Reads the rows of the result that the reader stands before.</summary>
    public abstract Task ReadAsync(NpgsqlDataReader reader, CancellationToken cancel);
}

/// <inheritdoc/>
/// <inheritdoc cref="PostgresStatement" path="/param"/>
/// <param name="row">Reads the row that the reader stands on.</param>
internal sealed class PostgresQuery<T>(string sql, Action<SqlParameters> set, Func<NpgsqlDataReader, T> row)
    : PostgresQuery(sql, set)
{
    public List<T> Rows { get; private set; } = [];

    public override async Task ReadAsync(NpgsqlDataReader reader, CancellationToken cancel)
    {
        // What a try that broke off has left.
        Rows = [];
        Refusal = null;
        while (await reader.ReadAsync(cancel))
        {
            try
            {
                Rows.Add(row(reader));
            }
            catch (Exception error)
            {
                // Someone else wrote the row. Those behind it, of other queries as well, are read nevertheless.
                Refusal = error;
            }
        }
        RowCount = Rows.Count;
    }
}
