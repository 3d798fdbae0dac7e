using System.Diagnostics;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Sends what comes while others are under way together. Alone, an item goes at once; under load, a round trip and all
/// that it wakes on both sides serve many.
/// </summary>
/// <param name="send">Sends some items and waits for what comes of them, which fails for all or for none.</param>
internal sealed class RoundTrips<T>(Func<List<T>, Task> send)
{
    private const int UnderWayMax = 4;
    private const int ItemsMax = 128;

    // Where a round trip takes less, waiting for the one under way costs less than another one; where it takes longer,
    // or hangs, others go meanwhile.
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(1);

    private readonly Queue<Waiter> waiting = new();
    private int underWay;
    private long lastWent;

    /// <summary>Sends an item, by itself or with others. Once asked for, it goes.</summary>
    public Task SendAsync(T item)
    {
        var waiter = new Waiter(item);
        lock (waiting)
        {
            waiting.Enqueue(waiter);
            if (underWay == UnderWayMax || (underWay > 0 && Stopwatch.GetElapsedTime(lastWent) < PauseMin))
            {
                return waiter.Task;
            }
            underWay++;
            lastWent = Stopwatch.GetTimestamp();
        }
        // On behalf of nobody: what is ambient of a request does not come along.
        ThreadPool.UnsafeQueueUserWorkItem(static trips => _ = trips.GoAsync(), this, preferLocal: true);
        return waiter.Task;
    }

    private async Task GoAsync()
    {
        while (Take() is { Count: > 0 } waiters)
        {
            try
            {
                await send(waiters.ConvertAll(waiter => waiter.Item));
                waiters.ForEach(waiter => waiter.SetResult());
            }
            catch (Exception error)
            {
                // Whoever has waited for long would fail in the same way, but later still.
                waiters.AddRange(TakeLate());
                waiters.ForEach(waiter => waiter.SetException(error));
            }
        }
    }

    /// <returns>Those who go next; when there are none, this way has ended.</returns>
    private List<Waiter> Take()
    {
        lock (waiting)
        {
            var taken = new List<Waiter>(Math.Min(waiting.Count, ItemsMax));
            while (taken.Count < ItemsMax && waiting.TryDequeue(out var waiter))
            {
                taken.Add(waiter);
            }
            underWay -= taken.Count == 0 ? 1 : 0;
            lastWent = Stopwatch.GetTimestamp();
            return taken;
        }
    }

    private List<Waiter> TakeLate()
    {
        var late = new List<Waiter>();
        lock (waiting)
        {
            while (waiting.TryPeek(out var first) && Stopwatch.GetElapsedTime(first.Since) > WaitMax)
            {
                late.Add(waiting.Dequeue());
            }
        }
        return late;
    }

    private sealed class Waiter(T item) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public T Item => item;

        public long Since { get; } = Stopwatch.GetTimestamp();
    }
}
