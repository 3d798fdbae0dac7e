using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Sqlite;

/// <summary>A change that waits for its turn, or has it.</summary>
internal abstract class SqliteChange
{
    // Its statements belong to the operation of who asked for it. Without a reader there is nothing to carry over.
    private readonly Operation? parent = Operation.Current is { IsRead: true } current ? current : null;

    protected SqliteChange() => QueueNode = new LinkedListNode<SqliteChange>(this);

    /// <summary>In the queue, as long as it has not begun.</summary>
    public LinkedListNode<SqliteChange> QueueNode { get; }

    /// <summary>Makes it, in a transaction that is still to be committed.</summary>
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

    /// <summary>It is on the disk.</summary>
    public abstract void Acknowledge();

    /// <summary>It is not, or nobody knows.</summary>
    public abstract void Fail(Exception error);

    protected abstract void ExecuteUnobserved(SqliteSession session);
}

/// <param name="work">What it does; its result counts once it is on the disk.</param>
/// <param name="tryDequeue">Takes it out of the queue, unless it has begun.</param>
/// <param name="logger">Is told when it failed and nobody waited any more.</param>
internal sealed class SqliteChange<T>(
    Func<SqliteSession, T> work, Predicate<SqliteChange> tryDequeue, ILogger logger) : SqliteChange
{
    private readonly TaskCompletionSource<T> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool isAbandoned;
    private T? result;

    /// <summary>Completes when it is on the disk or given up, whether anyone waits for it or not.</summary>
    public Task<T> Ended => ended.Task;

    /// <exception cref="OperationCanceledException">It has not begun, and does not.</exception>
    /// <exception cref="StorageException">It failed, or it goes on, but the wait was cancelled.</exception>
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
