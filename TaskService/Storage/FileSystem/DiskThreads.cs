using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Runs blocking disk work on dedicated threads, started on demand. On the thread pool a slow disk would block requests
/// that need no disk, and a burst of writers would wait for the pool to grow.
/// </summary>
internal sealed class DiskThreads(ILogger logger) : IDisposable
{
    /// <summary>A file system commits concurrent fsyncs together (group commit), so more threads write more.</summary>
    private const int ThreadsMax = 64;

    private readonly object gate = new();
    // Cancelled work is removed at once: behind a disk that hangs, the queue has one item per waiting request at most.
    private readonly LinkedList<Func<Action>> queue = new();
    private int threads;
    private int idle;
    private bool isEnding;

    /// <summary>Queues work for a free thread, first in, first out.</summary>
    /// <param name="work">Blocks on the disk.</param>
    /// <param name="cancel">Cancels work that has not begun. Work that has begun is abandoned: it completes in the
    /// background.</param>
    /// <returns>Completes as the work does, and fails with its exception.</returns>
    /// <exception cref="OperationCanceledException">The work was cancelled before it began.</exception>
    /// <exception cref="StorageException">The work goes on, but the wait was cancelled.</exception>
    public async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancel)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var item = Enqueue(() => Run(work, done));
        using var giveUp = cancel.UnsafeRegister(
            _ =>
            {
                if (TryDequeue(item))
                {
                    done.TrySetCanceled(cancel);
                    return;
                }
                done.TrySetException(AbandonedWrite.Error("the disk", new OperationCanceledException(cancel)));
            },
            null);
        return await done.Task;
    }

    /// <summary>Accepts no more work; queued work still runs.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isEnding = true;
            Monitor.PulseAll(gate);
        }
    }

    private LinkedListNode<Func<Action>> Enqueue(Func<Action> work)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isEnding, this);
            var item = queue.AddLast(work);
            if (idle >= queue.Count)
            {
                Monitor.Pulse(gate);
            }
            else if (threads < ThreadsMax)
            {
                StartThread(item);
            }
            return item;
        }
    }

    // Called with the gate held.
    private void StartThread(LinkedListNode<Func<Action>> item)
    {
        (threads, idle) = (threads + 1, idle + 1);
        try
        {
            new Thread(RunAll) { IsBackground = true, Name = "disk" }.Start();
        }
        catch (OutOfMemoryException error)
        {
            // The system has no thread left. The work must neither wait nor begin later.
            (threads, idle) = (threads - 1, idle - 1);
            queue.Remove(item);
            throw new OperationCanceledException("no thread can be started for the disk", error);
        }
    }

    /// <returns>False when a thread has begun it already.</returns>
    private bool TryDequeue(LinkedListNode<Func<Action>> item)
    {
        lock (gate)
        {
            if (item.List is null)
            {
                return false;
            }
            queue.Remove(item);
            return true;
        }
    }

    /// <returns>Completes the task with the result.</returns>
    private Action Run<T>(Func<T> work, TaskCompletionSource<T> done)
    {
        try
        {
            var result = work();
            return () => done.TrySetResult(result);
        }
#pragma warning disable CA1031 // The task carries the exception to the waiting request.
        catch (Exception error)
#pragma warning restore CA1031
        {
            return () =>
            {
                if (!done.TrySetException(error))
                {
                    AbandonedWrite.Report(logger, error);
                }
            };
        }
    }

    private void RunAll()
    {
        while (Take() is { } work)
        {
            var complete = work();
            // Release the thread before completing the write: a client that writes in sequence needs one thread only.
            lock (gate)
            {
                idle++;
            }
            complete();
        }
    }

    /// <returns>Null at the end.</returns>
    private Func<Action>? Take()
    {
        lock (gate)
        {
            while (queue.Count == 0 && !isEnding)
            {
                Monitor.Wait(gate);
            }
            idle--;
            var next = queue.First?.Value;
            if (next is not null)
            {
                queue.RemoveFirst();
            }
            return next;
        }
    }
}
