using System.Diagnostics;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Sends what comes while others are under way together. Alone, an item goes at once; under load, a round trip and all
/// that it wakes on both sides serve many.
/// </summary>
/// <param name="send">Sends some items and waits for what comes of them; when it fails, it fails for all.</param>
/// <param name="lingerTurns">
/// How often all who are ready get their turn before the next trip: those whom the last one has woken go on, and
/// others get here, since a trip costs much the same for one item and for ten. 0 where a trip takes so long that they
/// are here by its end.
/// </param>
internal sealed class Batcher<T>(Func<List<T>, Task> send, int lingerTurns)
{
    private const int BatchesInFlightMax = 4;
    private const int BatchItemsMax = 128;

    // So many are worth a trip, whoever else may come.
    private const int LingerItemsMax = 16;

    // Where a round trip takes less, waiting for the one under way costs less than another one; where it takes longer,
    // or hangs, others go meanwhile.
    private static readonly TimeSpan RecentTimeMax = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan OverdueTimeMin = TimeSpan.FromSeconds(1);

    private readonly Queue<Waiter> waiting = new();
    private int inFlight;
    private int inFlightAndRecent;

    /// <summary>Sends an item, by itself or with others.</summary>
    /// <param name="item">Goes once.</param>
    /// <param name="cancel">Ends the wait; what has not gone by then does not go.</param>
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

    /// <summary>Sends an item, by itself or with others.</summary>
    /// <param name="item">Goes once, if nobody takes it away before.</param>
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

    // Within the lock.
    private void StartIfNeeded()
    {
        if (waiting.Count > 0 && inFlightAndRecent == 0 && inFlight < BatchesInFlightMax)
        {
            inFlight++;
            inFlightAndRecent++;
            // On behalf of nobody: what is ambient of a request does not come along.
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
                    // Whoever has waited for long would fail in the same way, but later still.
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

    /// <param name="wasRecent">Whether the trip that has ended counts as new still.</param>
    /// <returns>Those who go next; when there are none, this way has ended.</returns>
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

    /// <summary>An item that is to go; its task ends with the trip.</summary>
    internal sealed class Waiter(T item) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        private int isTaken;

        public T Item => item;

        public long Since { get; } = Stopwatch.GetTimestamp();

        /// <summary>Takes it out of those that wait: to send it, or to give it up.</summary>
        /// <returns>False when it was taken before.</returns>
        public bool TryTake() => Interlocked.Exchange(ref isTaken, 1) == 0;

        public void Fail(Exception error)
        {
            SetException(error);
            // Who asked may have gone.
            _ = Task.Exception;
        }
    }
}
