using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Runs work that waits for the disk on threads of its own, started as they are needed. On the shared pool a slow disk
/// would hold up requests that need none, and a burst of writers would wait for the pool to grow.
/// </summary>
internal sealed class DiskThreads(ILogger logger) : IDisposable
{
    /// <summary>A file system commits what is synced at the same time together, so more threads write more.</summary>
    private const int ThreadsMax = 64;

    private readonly object gate = new();
    // What is given up while it waits goes at once: behind a disk that hangs are no more than those who wait.
    private readonly LinkedList<Func<Action>> queue = new();
    private int threads;
    private int idle;
    private bool isEnding;

    /// <summary>Runs it when a thread is free, in the order of the calls.</summary>
    /// <param name="work">Waits for the disk.</param>
    /// <param name="cancel">Gives up work that has not begun. What has begun is finished, but not waited for.</param>
    /// <returns>Completes as the work does, and fails with what it throws.</returns>
    /// <exception cref="OperationCanceledException">It has not begun, and does not.</exception>
    /// <exception cref="StorageException">It goes on, but the wait was cancelled.</exception>
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

    /// <summary>Takes no more work; what is there is still done.</summary>
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

    // Within the gate.
    private void StartThread(LinkedListNode<Func<Action>> item)
    {
        (threads, idle) = (threads + 1, idle + 1);
        try
        {
            new Thread(RunAll) { IsBackground = true, Name = "disk" }.Start();
        }
        catch (OutOfMemoryException error)
        {
            // The system gives no more of them. It must not be waited for, nor begin later.
            (threads, idle) = (threads - 1, idle - 1);
            queue.Remove(item);
            throw new OperationCanceledException("no thread can be started for the disk", error);
        }
    }

    /// <returns>False when a thread has it already.</returns>
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

    /// <returns>Gives the result to whoever waits for it.</returns>
    private Action Run<T>(Func<T> work, TaskCompletionSource<T> done)
    {
        try
        {
            var result = work();
            return () => done.TrySetResult(result);
        }
#pragma warning disable CA1031 // Whoever waits for the work gets it.
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
            var answer = work();
            // Free before anybody hears of it: who sends one change after the other needs one thread only.
            lock (gate)
            {
                idle++;
            }
            answer();
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
