namespace TaskService.Storage.FileSystem;

/// <summary>
/// Runs work that waits for the disk on threads of its own, started as they are needed. On the shared pool a slow disk
/// would hold up requests that need none, and a burst of writers would wait for the pool to grow.
/// </summary>
internal sealed class DiskThreads : IDisposable
{
    /// <summary>A file system commits what is synced at the same time together, so more threads write more.</summary>
    private const int ThreadsMax = 64;

    private readonly object gate = new();
    private readonly Queue<(Action Work, TaskCompletionSource Done)> queue = [];
    private int threads;
    private int idle;
    private bool isEnding;

    /// <summary>Runs it when a thread is free, in the order of the calls.</summary>
    /// <returns>Completes as the work does, and fails with what it throws.</returns>
    public Task RunAsync(Action work)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isEnding, this);
            queue.Enqueue((work, done));
            if (idle >= queue.Count)
            {
                Monitor.Pulse(gate);
            }
            else if (threads < ThreadsMax)
            {
                threads++;
                new Thread(Run) { IsBackground = true, Name = "disk" }.Start();
            }
        }
        return done.Task;
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

    private void Run()
    {
        while (Take(out var work, out var done))
        {
            try
            {
                work();
                done.SetResult();
            }
#pragma warning disable CA1031 // Whoever waits for the work gets it.
            catch (Exception error)
#pragma warning restore CA1031
            {
                done.SetException(error);
            }
        }
    }

    private bool Take(out Action work, out TaskCompletionSource done)
    {
        lock (gate)
        {
            idle++;
            while (queue.Count == 0 && !isEnding)
            {
                Monitor.Wait(gate);
            }
            idle--;
            var isThere = queue.TryDequeue(out var next);
            (work, done) = next;
            return isThere;
        }
    }
}
