using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Sqlite;

/// <summary>A change that is queued for the writer, or in progress.</summary>
internal abstract class SqliteChange
{
    // The operation of the request, to which the statements belong; null when operations have no readers.
    private readonly Operation? parent = Operation.Current is { IsRead: true } current ? current : null;

    protected SqliteChange() => QueueNode = new LinkedListNode<SqliteChange>(this);

    /// <summary>Its node in the queue, until it begins.</summary>
    public LinkedListNode<SqliteChange> QueueNode { get; }

    /// <summary>Executes the change in a transaction that is not committed yet.</summary>
    public void Execute(SqliteSession session)
    {
        if (parent is null)
        {
            ExecuteUnobserved(session);
            return;
        }
        Operation.Current = parent;
        try
        {
            ExecuteUnobserved(session);
        }
        finally
        {
            Operation.Current = null;
        }
    }

    /// <summary>The commit is durable.</summary>
    public abstract void Acknowledge();

    /// <summary>The commit failed or its outcome is unknown.</summary>
    public abstract void Fail(Exception error);

    protected abstract void ExecuteUnobserved(SqliteSession session);
}

/// <param name="work">Reads and writes; its result is valid once the commit is durable.</param>
/// <param name="tryDequeue">Removes the change from the queue, unless it has begun.</param>
/// <param name="logger">Gets the failure of an abandoned write.</param>
internal sealed class SqliteChange<T>(
    Func<SqliteSession, T> work, Predicate<SqliteChange> tryDequeue, ILogger logger) : SqliteChange
{
    private readonly TaskCompletionSource<T> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool isAbandoned;
    private T? result;

    /// <summary>Completes when the change is durable, failed or cancelled.</summary>
    public Task<T> Ended => ended.Task;

    /// <exception cref="OperationCanceledException">The change was cancelled before it began.</exception>
    /// <exception cref="StorageException">The change failed, or goes on although the wait was cancelled.</exception>
    public async ValueTask<T> WaitAsync(CancellationToken cancel)
    {
        try
        {
            return await ended.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException error)
        {
            if (tryDequeue(this))
            {
                ended.SetCanceled(cancel);
                throw;
            }
            isAbandoned = true;
            throw AbandonedWrite.Error("the database", error);
        }
    }

    public override void Acknowledge() => ended.SetResult(result!);

    public override void Fail(Exception error)
    {
        ended.SetException(error);
        if (isAbandoned)
        {
            AbandonedWrite.Report(logger, error);
        }
    }

    protected override void ExecuteUnobserved(SqliteSession session) => result = work(session);
}
