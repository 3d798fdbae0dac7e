using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// The one who writes, on a thread of its own. All changes that wait are committed together, which takes one sync of
/// the disk; one that fails takes no others with it. In its queue are no more than there are requests.
/// </summary>
/// <param name="session">Its own, from now on.</param>
/// <param name="identity">Checked before each transaction: the file must still be there.</param>
/// <param name="path">Of the file, for messages.</param>
/// <param name="logger">Is told of changes that failed when nobody waited any more.</param>
internal sealed class SqliteWriter(SqliteSession session, SqliteFileIdentity identity, string path, ILogger logger)
    : IAsyncDisposable
{
    /// <summary>Of a transaction.</summary>
    private const int BatchItemsMax = 256;

    private readonly object gate = new();
    private readonly LinkedList<SqliteChange> queue = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool isEnding;

    /// <summary>
    /// Whether the last change failed by the storage, other than for want of room, and none was written since. Is asked
    /// within a change.
    /// </summary>
    public bool HasFailed { get; private set; }

    public void Start() => new Thread(RunAll) { IsBackground = true, Name = "sqlite" }.Start();

    /// <summary>Makes a change when its turn comes, in the order of the calls.</summary>
    /// <param name="work">
    /// Reads and writes in a transaction that keeps other writers out. What it throws undoes it. It runs once more, in
    /// a transaction of its own, when the one that it shared was undone.
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

    /// <summary>Takes no more changes; what is there is still made.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            isEnding = true;
            Monitor.Pulse(gate);
        }
        await ended.Task;
    }

    /// <returns>False when it has begun.</returns>
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

    /// <returns>None at the end.</returns>
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
            // One of them is at fault, or there is no room for all of them.
            changes.ForEach(change => Execute([change]));
        }
    }

    /// <param name="changes">In one transaction.</param>
    /// <param name="error">What went wrong.</param>
    /// <param name="isOfChange">Whether nothing was changed, and fewer changes might do better.</param>
    /// <returns>Whether they are on the disk; if not, and it is not one of them, nobody knows.</returns>
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
#pragma warning disable CA1031 // Those who wait for the changes get it.
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
            // The next transaction tries again, and fails when it cannot.
            logger.LogError(error, "A transaction of {Path} does not end", path);
        }
    }
}
