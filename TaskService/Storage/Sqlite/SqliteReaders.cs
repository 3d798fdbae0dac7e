using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// A pool of connections for reads, concurrent with each other and with the writer. A read runs on the thread of its
/// caller: most take some microseconds, less than a context switch, and at most one per connection waits for the disk.
/// </summary>
internal sealed class SqliteReaders : IAsyncDisposable
{
    private static readonly int ItemsMax = Math.Clamp(Environment.ProcessorCount * 2, 4, 16);

    private readonly SemaphoreSlim free = new(ItemsMax);
    // A stack: the connection used last has the warmest cache.
    private readonly ConcurrentStack<SqliteSession> idle = new();
    private readonly string path;
    private readonly SqliteFileIdentity identity;
    private readonly bool isReadOnly;

    /// <summary>Opens all connections: later, the file may be missing for a while.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="identity">Of the file that is open already.</param>
    /// <param name="isReadOnly">As in <see cref="SqliteSession"/>.</param>
    /// <param name="loggers">For the plans of queries.</param>
    public SqliteReaders(string path, SqliteFileIdentity identity, bool isReadOnly, ILoggerFactory loggers)
    {
        (this.path, this.identity, this.isReadOnly) = (path, identity, isReadOnly);
        Profiler = new(
            (sql, set, cancel) => ReadAsync(session => session.Explain(sql, set), cancel).AsTask(), loggers);
        try
        {
            for (var i = 0; i < ItemsMax; i++)
            {
                idle.Push(Open());
            }
        }
        catch
        {
            Close();
            throw;
        }
    }

    /// <summary>Explains the queries of all connections.</summary>
    public SqlProfiler<Action<DbCommand>> Profiler { get; }

    /// <param name="read">Reads; its result must not need the connection, which returns to the pool.</param>
    /// <param name="cancel">Cancels the wait for a free connection.</param>
    public async ValueTask<T> ReadAsync<T>(Func<SqliteSession, T> read, CancellationToken cancel)
    {
        await free.WaitAsync(cancel);
        try
        {
            var session = idle.TryPop(out var used) ? used : Open();
            try
            {
                var result = read(session);
                idle.Push(session);
                return result;
            }
            catch
            {
                // Its state is unknown: the next read opens a new one.
                session.Dispose();
                throw;
            }
        }
        catch (SqliteException error) when (SqliteErrors.ToStorage(error, path) is { } known)
        {
            throw known;
        }
        finally
        {
            free.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Profiler.DisposeAsync();
        for (var i = 0; i < ItemsMax; i++)
        {
            await free.WaitAsync();
        }
        Close();
    }

    private void Close()
    {
        foreach (var session in idle)
        {
            session.Dispose();
        }
    }

    private SqliteSession Open()
    {
        // The session checks after it has opened; this saves opening it at all.
        identity.ThrowIfMoved();
        var session = new SqliteSession(path, identity, isReadOnly) { Profiler = Profiler };
        session.Run("PRAGMA query_only = ON");
        return session;
    }
}
