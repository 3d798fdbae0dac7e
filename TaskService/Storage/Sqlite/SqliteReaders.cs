using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Connections that read, beside each other and beside the writer. A read runs on the thread of its caller: most take
/// some microseconds, less than a change of threads, and those that wait for the disk are as many as connections, at
/// most.
/// </summary>
internal sealed class SqliteReaders : IAsyncDisposable
{
    private static readonly int ItemsMax = Math.Clamp(Environment.ProcessorCount * 2, 4, 16);

    private readonly SemaphoreSlim free = new(ItemsMax);
    // The one that was used last has the most in its cache.
    private readonly ConcurrentStack<SqliteSession> idle = new();
    private readonly string path;
    private readonly SqliteFileIdentity identity;
    private readonly bool isReadOnly;

    /// <summary>Opens all of them: later, the file may be away for a while.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="identity">That of the file that is open already.</param>
    /// <param name="isReadOnly">As <see cref="SqliteSession"/> takes it.</param>
    public SqliteReaders(string path, SqliteFileIdentity identity, bool isReadOnly)
    {
        (this.path, this.identity, this.isReadOnly) = (path, identity, isReadOnly);
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

    /// <param name="read">Reads; what it returns must be whole, since the connection is not its own any more.</param>
    /// <param name="cancel">Until a connection is free.</param>
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
                // Whatever state it is in, the next one begins anew.
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
        // Also before, so that none is opened for nothing.
        identity.ThrowIfMoved();
        var session = new SqliteSession(path, identity, isReadOnly);
        session.Run("PRAGMA query_only = ON");
        return session;
    }
}
