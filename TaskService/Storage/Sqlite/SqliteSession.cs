using System.Data.Common;
using Microsoft.Data.Sqlite;
using SQLitePCL;
using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// A connection with its prepared statements, each kept from its first use on. For one user at a time. Every statement
/// is an operation <c>.sql</c> with its <c>query</c>, which holds no values, and its <c>row_count</c>.
/// </summary>
/// <exception cref="SqliteException">From all members.</exception>
internal sealed class SqliteSession : IDisposable
{
    /// <summary>How long it waits for other processes that write. SQLite serves those who wait in no order.</summary>
    public const int BusyTimeMaxMilliseconds = 5_000;

    private readonly Dictionary<string, SqliteCommand> prepared = new(StringComparer.Ordinal);

    /// <summary>Opens a file.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="identity">That of the file that is open already; null to make it when it is missing.</param>
    /// <param name="isReadOnly">Whether the file must exist, and nothing is created beside it.</param>
    /// <exception cref="StorageException">Another file has its name, or none has.</exception>
    public SqliteSession(string path, SqliteFileIdentity? identity = null, bool isReadOnly = false)
    {
        var settings = new SqliteConnectionStringBuilder
        {
            DataSource = isReadOnly ? ReadOnlySource(path) : path,
            Mode = isReadOnly ? SqliteOpenMode.ReadOnly
                : identity is null ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
            // In seconds, the least: SQLite has waited already when the driver begins to try again.
            DefaultTimeout = 1,
        };
        Connection = new SqliteConnection(settings.ToString());
        try
        {
            Connection.Open();
            // Before anything is read: of an empty file, SQLite would take the log for a leftover and remove it.
            identity?.ThrowIfMoved();
            // FULL syncs the log at each commit. On macOS only fullfsync reaches the disk; elsewhere it does nothing.
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

    /// <summary>Executes what is executed once, such as a setting.</summary>
    public void Run(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>The value that a query gives, which is asked once.</summary>
    public object? Scalar(string sql)
    {
        using var command = Connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    /// <summary>Undoes the transaction that is open, if one is: some errors have ended it already.</summary>
    public void EndTransaction()
    {
        if (raw.sqlite3_get_autocommit(Connection.Handle) == 0)
        {
            Execute("ROLLBACK");
        }
    }

    /// <returns>How many rows were changed.</returns>
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

    /// <summary>Hands each row to <paramref name="take"/>, until that says no.</summary>
    public void Query(string sql, Action<DbCommand> set, Func<DbDataReader, bool> take)
    {
        using var operation = Operation.Start(".sql");
        operation.Set("query", sql);
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

    public void Dispose()
    {
        foreach (var command in prepared.Values)
        {
            command.Dispose();
        }
        Connection.Dispose();
    }

    // To read a file with a write-ahead log, SQLite creates the log and its index, and leaves them behind. Where no log
    // is, nobody has the file open, and it can be read as one that does not change.
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
