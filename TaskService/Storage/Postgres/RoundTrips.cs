using System.Diagnostics;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Sends what comes while others are under way together. Alone, an item goes at once; under load, a round trip and all
/// that it wakes on both sides serve many.
/// </summary>
/// <param name="send">Sends some items and waits for what comes of them; when it fails, it fails for all.</param>
/// <param name="turnsOfOthers">
/// How often all who are ready get their turn before the next trip: those whom the last one has woken go on, and
/// others get here, since a trip costs much the same for one item and for ten. 0 where a trip takes so long that they
/// are here by its end.
/// </param>
internal sealed class RoundTrips<T>(Func<List<T>, Task> send, int turnsOfOthers)
{
    private const int UnderWayMax = 4;
    private const int ItemsMax = 128;

    // So many are worth a trip, whoever else may come.
    private const int ItemsEnough = 16;

    // Where a round trip takes less, waiting for the one under way costs less than another one; where it takes longer,
    // or hangs, others go meanwhile.
    private static readonly TimeSpan NewTimeMax = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan WaitTimeMax = TimeSpan.FromSeconds(1);

    private readonly Queue<Waiter> waiting = new();
    private int underWay;
    private int underWayAndNew;

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
            BeginIfNeeded();
        }
        return waiter;
    }

    // Within the lock.
    private void BeginIfNeeded()
    {
        if (waiting.Count > 0 && underWayAndNew == 0 && underWay < UnderWayMax)
        {
            underWay++;
            underWayAndNew++;
            // On behalf of nobody: what is ambient of a request does not come along.
            ThreadPool.UnsafeQueueUserWorkItem(static trips => _ = trips.GoAsync(), this, preferLocal: true);
        }
    }

    private async Task GoAsync()
    {
        for (var isNew = true; Take(isNew) is { Count: > 0 } waiters;)
        {
            try
            {
                isNew = true;
                var sending = send(waiters.ConvertAll(waiter => waiter.Item));
                isNew = sending.IsCompleted || await Task.WhenAny(sending, Task.Delay(NewTimeMax)) == sending;
                if (!isNew)
                {
                    LetOthersGo();
                }
                await sending;
                waiters.ForEach(waiter => waiter.SetResult());
            }
            catch (Exception error)
            {
                if (PostgresErrors.Translate(error) is not null)
                {
                    // Whoever has waited for long would fail in the same way, but later still.
                    waiters.AddRange(TakeLate());
                }
                waiters.ForEach(waiter => waiter.Fail(error));
            }
            await LetOthersComeAsync(waiters.Count);
        }
    }

    private async ValueTask LetOthersComeAsync(int woken)
    {
        for (var turn = 0; turn < turnsOfOthers && woken + waiting.Count > 1 && waiting.Count < ItemsEnough; turn++)
        {
            await Task.Yield();
        }
    }

    private void LetOthersGo()
    {
        lock (waiting)
        {
            underWayAndNew--;
            BeginIfNeeded();
        }
    }

    /// <param name="wasNew">Whether the trip that has ended counts as new still.</param>
    /// <returns>Those who go next; when there are none, this way has ended.</returns>
    private List<Waiter> Take(bool wasNew)
    {
        lock (waiting)
        {
            underWayAndNew -= wasNew ? 1 : 0;
            var taken = new List<Waiter>(Math.Min(waiting.Count, ItemsMax));
            while (taken.Count < ItemsMax && waiting.TryDequeue(out var waiter))
            {
                if (waiter.TryTake())
                {
                    taken.Add(waiter);
                }
            }
            underWayAndNew += taken.Count == 0 ? 0 : 1;
            underWay -= taken.Count == 0 ? 1 : 0;
            return taken;
        }
    }

    private List<Waiter> TakeLate()
    {
        var late = new List<Waiter>();
        lock (waiting)
        {
            while (waiting.TryPeek(out var first) && Stopwatch.GetElapsedTime(first.Since) > WaitTimeMax)
            {
                waiting.Dequeue();
                if (first.TryTake())
                {
                    late.Add(first);
                }
            }
        }
        return late;
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
