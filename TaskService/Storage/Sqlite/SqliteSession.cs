using System.Data.Common;
using Microsoft.Data.Sqlite;
using SQLitePCL;
using TaskService.Domain;
using TaskService.Storage.Sql;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// A connection with its cache of prepared statements. Not safe for concurrent use. Every statement is an operation
/// <c>.sql</c> with its <c>query</c>, which holds no values, and its <c>row_count</c>.
/// </summary>
/// <exception cref="SqliteException">From all members.</exception>
internal sealed class SqliteSession : IDisposable
{
    /// <summary>Timeout of the wait for the write lock of other processes. SQLite has no queue for it.</summary>
    public const int BusyTimeMaxMilliseconds = 5_000;

    private readonly Dictionary<string, SqliteCommand> prepared = new(StringComparer.Ordinal);

    /// <summary>Opens a file.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="identity">Of the file that is open already; null to create it if it is missing.</param>
    /// <param name="isReadOnly">Whether the file must exist, and nothing is created beside it.</param>
    /// <exception cref="StorageException">The file was removed or replaced.</exception>
    public SqliteSession(string path, SqliteFileIdentity? identity = null, bool isReadOnly = false)
    {
        var settings = new SqliteConnectionStringBuilder
        {
            DataSource = isReadOnly ? ReadOnlySource(path) : path,
            Mode = isReadOnly ? SqliteOpenMode.ReadOnly
                : identity is null ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            // In seconds, the minimum: busy_timeout has passed already when the driver begins to retry.
            DefaultTimeout = 1,
        };
        Connection = new SqliteConnection(settings.ToString());
        try
        {
            Connection.Open();
            // Before the first read: beside an empty file, SQLite would take the log for a leftover and remove it.
            identity?.ThrowIfMoved();
            // FULL syncs the log at each commit. On macOS only fullfsync reaches the disk; elsewhere it has no effect.
            Run($"PRAGMA busy_timeout = {BusyTimeMaxMilliseconds}; PRAGMA synchronous = FULL;"
                + " PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON");
        }
        catch
        {
            Connection.Dispose();
            throw;
        }
    }

    public SqliteConnection Connection { get; }

    /// <summary>Gets the queries; null for none.</summary>
    public SqlProfiler<Action<DbCommand>>? Profiler { get; set; }

    /// <summary>Executes a statement that is not cached, such as a setting.</summary>
    public void Run(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Returns the value of a query that is not cached.</summary>
    public object? Scalar(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>Rolls back the open transaction, if any: some errors have ended it already.</summary>
    public void EndTransaction()
    {
        if (raw.sqlite3_get_autocommit(Connection.Handle) == 0)
        {
            Execute("ROLLBACK");
        }
    }

    /// <returns>The number of changed rows.</returns>
    public int Execute(string sql, Action<DbCommand>? set = null)
    {
        using var operation = Operation.Start(".sql");
        operation.Set("query", sql);
        try
        {
            var command = Prepared(sql);
            set?.Invoke(command);
            var rows = command.ExecuteNonQuery();
            operation.Set("row_count", Math.Max(rows, 0));
            return rows;
        }
        catch (SqliteException error)
        {
            operation.Fail(error);
            throw;
        }
    }

    /// <summary>Passes each row to <paramref name="take"/>, until it returns false.</summary>
    public void Query(string sql, Action<DbCommand> set, Func<DbDataReader, bool> take)
    {
        using var operation = Operation.Start(".sql");
        operation.Set("query", sql);
        Profiler?.Offer(sql, set);
        var count = 0;
        try
        {
            var command = Prepared(sql);
            set(command);
            using var rows = command.ExecuteReader();
            var isWanted = true;
            while (isWanted && rows.Read())
            {
                count++;
                isWanted = take(rows);
            }
        }
        catch (SqliteException error)
        {
            operation.Fail(error);
            throw;
        }
        finally
        {
            operation.Set("row_count", count);
        }
    }

    /// <summary>The plan of a query, which is not executed: a line a step, indented below the one that it belongs
    /// to.</summary>
    public IReadOnlyList<string> Explain(string sql, Action<DbCommand> set)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = $"EXPLAIN QUERY PLAN {sql}";
        set(command);
        using var steps = command.ExecuteReader();
        var lines = new List<string>();
        var depths = new Dictionary<long, int>();
        while (steps.Read())
        {
            var depth = depths.GetValueOrDefault(steps.GetInt64(1));
            depths[steps.GetInt64(0)] = depth + 1;
            lines.Add($"{new string(' ', depth * 2)}{steps.GetString(3)}");
        }
        return lines;
    }

    public void Dispose()
    {
        foreach (var command in prepared.Values)
        {
            command.Dispose();
        }
        Connection.Dispose();
    }

    // To read a file with a write-ahead log, SQLite creates the log and its index, and leaves them behind. Without a
    // log no process has the file open, and it can be read as immutable.
    private static string ReadOnlySource(string path)
    {
        var file = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        var isInUse = new FileInfo(file + "-wal") is { Exists: true, Length: > 0 } || File.Exists(file + "-journal");
        return isInUse ? file : new Uri(file).AbsoluteUri + "?immutable=1";
    }

    private SqliteCommand Prepared(string sql)
    {
        if (!prepared.TryGetValue(sql, out var command))
        {
            command = Connection.CreateCommand();
            command.CommandText = sql;
            prepared.Add(sql, command);
        }
        return command;
    }
}
