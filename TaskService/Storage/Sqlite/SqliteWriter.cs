using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// The single writer, on a thread of its own. It commits queued changes in batches (group commit), with one fsync each;
/// a change that fails does not fail others. The queue has one change per request at most.
/// </summary>
/// <param name="session">Owned by the writer from now on.</param>
/// <param name="identity">Checked before each transaction: the file must still be there.</param>
/// <param name="path">Of the file, for messages.</param>
/// <param name="logger">Gets abandoned writes that failed.</param>
internal sealed class SqliteWriter(SqliteSession session, SqliteFileIdentity identity, string path, ILogger logger)
    : IAsyncDisposable
{
    /// <summary>Changes in one transaction, at most.</summary>
    private const int BatchItemsMax = 256;

    private readonly object gate = new();
    private readonly LinkedList<SqliteChange> queue = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool isEnding;

    /// <summary>
    /// Whether the last change failed by the storage, other than by a full disk, and none was written since. Read
    /// within a change only.
    /// </summary>
    public bool HasFailed { get; private set; }

    public void Start() => new Thread(RunAll) { IsBackground = true, Name = "sqlite" }.Start();

    /// <summary>Queues a change, first in, first out.</summary>
    /// <param name="work">
    /// Reads and writes in a transaction that excludes other writers. An exception rolls it back. It runs a second
    /// time, in a transaction of its own, when that of its batch was rolled back.
    /// </param>
    public SqliteChange<T> Begin<T>(Func<SqliteSession, T> work)
    {
        var change = new SqliteChange<T>(work, TryDequeue, logger);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isEnding, this);
            queue.AddLast(change.QueueNode);
            Monitor.Pulse(gate);
        }
        return change;
    }

    /// <summary>Accepts no more changes; queued ones are still executed.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            isEnding = true;
            Monitor.Pulse(gate);
        }
        await ended.Task;
    }

    /// <returns>False when the change has begun.</returns>
    private bool TryDequeue(SqliteChange change)
    {
        lock (gate)
        {
            var isWaiting = change.QueueNode.List is not null;
            if (isWaiting)
            {
                queue.Remove(change.QueueNode);
            }
            return isWaiting;
        }
    }

    private void RunAll()
    {
        while (TakeBatch() is { Count: > 0 } batch)
        {
            Execute(batch);
        }
        session.Dispose();
        ended.SetResult();
    }

    /// <returns>An empty batch after disposal.</returns>
    private List<SqliteChange> TakeBatch()
    {
        var batch = new List<SqliteChange>();
        lock (gate)
        {
            while (queue.Count == 0 && !isEnding)
            {
                Monitor.Wait(gate);
            }
            while (queue.First is { } next && batch.Count < BatchItemsMax)
            {
                queue.RemoveFirst();
                batch.Add(next.Value);
            }
        }
        return batch;
    }

    private void Execute(List<SqliteChange> changes)
    {
        if (TryCommit(changes, out var error, out var isOfChange))
        {
            changes.ForEach(change => change.Acknowledge());
        }
        else if (!isOfChange || changes.Count == 1)
        {
            var known = error is SqliteException inner ? SqliteErrors.ToStorage(inner, path) ?? error : error;
            changes.ForEach(change => change.Fail(known));
        }
        else
        {
            // Isolate the failure: one change is at fault, or there is no room for all of them.
            changes.ForEach(change => Execute([change]));
        }
    }

    /// <param name="changes">A batch, for one transaction.</param>
    /// <param name="error">The failure.</param>
    /// <param name="isOfChange">Whether the transaction was rolled back, and a smaller batch may succeed.</param>
    /// <returns>Whether the commit is durable. When it is not, and <paramref name="isOfChange"/> is false, its outcome
    /// is unknown.</returns>
    private bool TryCommit(
        List<SqliteChange> changes, [NotNullWhen(false)] out Exception? error, out bool isOfChange)
    {
        (error, isOfChange) = (null, false);
        try
        {
            identity.ThrowIfMoved();
            EndTransaction();
            session.Execute("BEGIN IMMEDIATE");
            isOfChange = true;
            var before = raw.sqlite3_total_changes(session.Connection.Handle);
            changes.ForEach(change => change.Execute(session));
            isOfChange = false;
            session.Execute("COMMIT");
            HasFailed &= raw.sqlite3_total_changes(session.Connection.Handle) == before;
            return true;
        }
#pragma warning disable CA1031 // The changes carry the exception to their requests.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            error = failure;
            isOfChange |= SqliteErrors.IsFull(failure);
            HasFailed |= failure is SqliteException && !SqliteErrors.IsFull(failure);
            EndTransaction();
            return false;
        }
    }

    private void EndTransaction()
    {
        try
        {
            session.EndTransaction();
        }
        catch (SqliteException error)
        {
            // The next transaction retries, and fails if it cannot.
            logger.LogError(error, "A transaction of {Path} does not end", path);
        }
    }
}
