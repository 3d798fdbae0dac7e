using System.Diagnostics;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Batches items that arrive while others are in flight. A single item is sent at once; under load, one round trip,
/// with its thread and session wake-ups on both sides, serves many.
/// </summary>
/// <param name="send">Sends a batch and completes with its outcome; a failure fails the whole batch.</param>
/// <param name="lingerTurns">
/// Linger before the next batch, in yields to the thread pool: callers that the last batch has completed continue, and
/// new items arrive, since a round trip costs much the same for one item and for ten. 0 where a round trip takes so
/// long that they have arrived by its end.
/// </param>
internal sealed class Batcher<T>(Func<List<T>, Task> send, int lingerTurns)
{
    private const int BatchesInFlightMax = 4;
    private const int BatchItemsMax = 128;

    // With so many items waiting, the linger ends.
    private const int LingerItemsMax = 16;

    // Where a round trip takes less, waiting for the batch in flight costs less than another batch; where it takes
    // longer, or hangs, another batch is sent meanwhile.
    private static readonly TimeSpan RecentTimeMax = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan OverdueTimeMin = TimeSpan.FromSeconds(1);

    private readonly Queue<Waiter> waiting = new();
    private int inFlight;
    private int inFlightAndRecent;

    /// <summary>Sends an item, alone or in a batch.</summary>
    /// <param name="item">Sent once.</param>
    /// <param name="cancel">Ends the wait; an item that is still queued is not sent.</param>
    public async Task SendAsync(T item, CancellationToken cancel)
    {
        var waiter = Send(item);
        try
        {
            await waiter.Task.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            waiter.TryTake();
            throw;
        }
    }

    /// <summary>Queues an item, to be sent alone or in a batch.</summary>
    /// <param name="item">Sent once, unless <see cref="Waiter.TryTake"/> cancels it before.</param>
    public Waiter Send(T item)
    {
        var waiter = new Waiter(item);
        lock (waiting)
        {
            waiting.Enqueue(waiter);
            StartIfNeeded();
        }
        return waiter;
    }

    // Called with the lock held.
    private void StartIfNeeded()
    {
        if (waiting.Count > 0 && inFlightAndRecent == 0 && inFlight < BatchesInFlightMax)
        {
            inFlight++;
            inFlightAndRecent++;
            // Unsafe: a batch must not inherit the execution context of one request.
            ThreadPool.UnsafeQueueUserWorkItem(static batcher => _ = batcher.RunAsync(), this, preferLocal: true);
        }
    }

    private async Task RunAsync()
    {
        for (var isRecent = true; Take(isRecent) is { Count: > 0 } waiters;)
        {
            try
            {
                isRecent = true;
                var sending = send(waiters.ConvertAll(waiter => waiter.Item));
                isRecent = sending.IsCompleted || await Task.WhenAny(sending, Task.Delay(RecentTimeMax)) == sending;
                if (!isRecent)
                {
                    AllowNextBatch();
                }
                await sending;
                waiters.ForEach(waiter => waiter.SetResult());
            }
            catch (Exception error)
            {
                if (PostgresErrors.Translate(error) is not null)
                {
                    // Overdue items would fail in the same way, but later still.
                    waiters.AddRange(TakeOverdue());
                }
                waiters.ForEach(waiter => waiter.Fail(error));
            }
            await LingerAsync(waiters.Count);
        }
    }

    private async ValueTask LingerAsync(int woken)
    {
        for (var turn = 0; turn < lingerTurns && woken + waiting.Count > 1 && waiting.Count < LingerItemsMax; turn++)
        {
            await Task.Yield();
        }
    }

    private void AllowNextBatch()
    {
        lock (waiting)
        {
            inFlightAndRecent--;
            StartIfNeeded();
        }
    }

    /// <param name="wasRecent">Whether the batch that has ended still counts as recent.</param>
    /// <returns>The next batch; when it is empty, the loop ends.</returns>
    private List<Waiter> Take(bool wasRecent)
    {
        lock (waiting)
        {
            inFlightAndRecent -= wasRecent ? 1 : 0;
            var taken = new List<Waiter>(Math.Min(waiting.Count, BatchItemsMax));
            while (taken.Count < BatchItemsMax && waiting.TryDequeue(out var waiter))
            {
                if (waiter.TryTake())
                {
                    taken.Add(waiter);
                }
            }
            inFlightAndRecent += taken.Count == 0 ? 0 : 1;
            inFlight -= taken.Count == 0 ? 1 : 0;
            return taken;
        }
    }

    private List<Waiter> TakeOverdue()
    {
        var overdue = new List<Waiter>();
        lock (waiting)
        {
            while (waiting.TryPeek(out var first) && Stopwatch.GetElapsedTime(first.Since) > OverdueTimeMin)
            {
                waiting.Dequeue();
                if (first.TryTake())
                {
                    overdue.Add(first);
                }
            }
        }
        return overdue;
    }

    /// <summary>A queued item; its task completes with its batch.</summary>
    internal sealed class Waiter(T item) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        private int isTaken;

        public T Item => item;

        public long Since { get; } = Stopwatch.GetTimestamp();

        /// <summary>Claims the item, to send it or to cancel it.</summary>
        /// <returns>False when it was claimed before.</returns>
        public bool TryTake() => Interlocked.Exchange(ref isTaken, 1) == 0;

        public void Fail(Exception error)
        {
            SetException(error);
            // The exception is observed here: the request may have been cancelled.
            _ = Task.Exception;
        }
    }
}
