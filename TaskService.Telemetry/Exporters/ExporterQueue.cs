using System.Security.Cryptography;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters;

/// <summary>
/// A bounded queue that takes records from any thread and sends them to one exporter, in order and in batches: posting
/// never waits for the exporter. A failed batch is retried with exponential backoff; one that cannot be sent is dropped
/// and counted, with one warning when drops begin and one when they have ended.
/// </summary>
/// <remarks>
/// The exporter is called by one thread at a time. A call that times out is cancelled and counts as failed, but the
/// next call begins only after it has ended; if it succeeded late, its batch is not retried, and counts as sent unless
/// it was dropped already.
/// </remarks>
#pragma warning disable CA1711 // It is a queue.
public sealed class ExporterQueue : IAsyncDisposable
#pragma warning restore CA1711
{
    private readonly IExporter exporter;
    private readonly ExporterQueueSettings settings;
    private readonly ExporterDrops drops;
    private readonly TimeProvider time;
    private readonly Task worker;

    // Shutdown: cancelled when it begins, and when its timeout is over.
    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource over = new();

    private readonly Lock gate = new();
    private readonly Queue<OperationRecord> queue;
    private readonly Dictionary<string, long> dropped = new()
    {
        [DropReason.QueueFull] = 0,
        [DropReason.Failed] = 0,
        [DropReason.Refused] = 0,
        [DropReason.Closed] = 0,
    };

    private long produced;
    private long sent;
    private int taken;
    private long bytes;
    private long takenBytes;
    private int wanted;
    private TaskCompletionSource enough = new();
    private Task? closing;

    // State of the worker: the last call of the exporter, which may go on after its timeout, and failures in a row.
    private Task call = Task.CompletedTask;
    private int failures;

    /// <param name="name">The name of the exporter in warnings and metrics.</param>
    /// <param name="exporter">Disposed of at the end, if it is disposable.</param>
    /// <param name="settings">Limits and timeouts.</param>
    /// <param name="warn">Called when drops begin and end, by one thread at a time, never by one that posts.</param>
    /// <param name="time">The clock of all delays and timeouts.</param>
    public ExporterQueue(
        string name, IExporter exporter, ExporterQueueSettings settings, DropsWarning warn, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(settings);
        (this.exporter, this.settings, this.time) = (exporter, settings, time);
        drops = new ExporterDrops(name, warn, time);
        queue = new Queue<OperationRecord>(settings.RecordsMax);
        worker = RunDetached(RunAsync);
    }

    /// <summary>A consistent snapshot of the counts.</summary>
    public ExporterCounts Counts
    {
        get
        {
            lock (gate)
            {
                return new(produced, sent, queue.Count + taken, new Dictionary<string, long>(dropped));
            }
        }
    }

    /// <summary>Enqueues a record. Never waits, never throws; after closing, the record is dropped.</summary>
    public void Post(OperationRecord record)
    {
        if (TryPost(record))
        {
            return;
        }
        lock (gate)
        {
            produced++;
            dropped[DropReason.Closed]++;
        }
        drops.Add(1, DropReason.Closed);
    }

    /// <summary>As <see cref="Post"/>, but a record that comes after closing is left to the caller.</summary>
    /// <returns>False when it is closed.</returns>
    internal bool TryPost(OperationRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var recordBytes = record.BytesEstimate;
        lock (gate)
        {
            if (closing is not null)
            {
                return false;
            }
            produced++;
            if (queue.Count + taken < settings.RecordsMax && bytes + recordBytes <= settings.BytesMax)
            {
                queue.Enqueue(record);
                bytes += recordBytes;
                if (queue.Count == wanted)
                {
                    enough.TrySetResult();
                }
                return true;
            }
            dropped[DropReason.QueueFull]++;
        }
        drops.Add(1, DropReason.QueueFull);
        return true;
    }

    /// <summary>
    /// Shutdown: flushes the queue within its timeout, drops the rest and disposes of the exporter. If its last call is
    /// still running, the exporter is disposed of in the background when that ends.
    /// </summary>
    public Task CloseAsync()
    {
        lock (gate)
        {
            return closing ??= CloseOnceAsync();
        }
    }

    /// <summary>As <see cref="CloseAsync"/>.</summary>
    public ValueTask DisposeAsync() => new(CloseAsync());

    /// <summary>Runs code without the ambient operation and activity, marked as exporting.</summary>
    internal static Task RunDetached(Func<Task> run)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(async () =>
            {
                OperationSource.IsExporting = true;
                await run();
            });
        }
    }

    private async Task CloseOnceAsync()
    {
        var timeOver = Task.Delay(settings.CloseTimeMax, time);
        await stopping.CancelAsync();
        await Task.WhenAny(worker, timeOver);
        await over.CancelAsync();
        await worker;
        await drops.EndAsync();
        await Task.WhenAny(RunDetached(DisposeExporterAsync), timeOver);
    }

    private async Task DisposeExporterAsync()
    {
        await call.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            (exporter as IDisposable)?.Dispose();
        }
        catch (Exception)
        {
            // All records are counted already: the failure has no effect.
        }
    }

    private async Task RunAsync()
    {
        bool isClosed;
        OperationRecord[] batch;
        do
        {
            await WithinAsync(Timeout.InfiniteTimeSpan, Queued(1), stopping.Token);
            await WithinAsync(settings.BatchDelayMax, Queued(settings.BatchRecordsMax), stopping.Token);
            // Read before the batch is taken: after closing, no further record is enqueued.
            isClosed = stopping.IsCancellationRequested;
            batch = Take();
            if (batch.Length > 0)
            {
                CountOutcome(batch.Length, await SendAsync(batch));
            }
        }
        while (!isClosed || batch.Length > 0);
    }

    // Completes when so many records are queued.
    private Task Queued(int records)
    {
        lock (gate)
        {
            (wanted, enough) = (records, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (queue.Count >= records)
            {
                enough.SetResult();
            }
            return enough.Task;
        }
    }

    private OperationRecord[] Take()
    {
        lock (gate)
        {
            // A new array: a call that timed out may still read the last one.
            var batch = new OperationRecord[Math.Min(queue.Count, settings.BatchRecordsMax)];
            for (var i = 0; i < batch.Length; i++)
            {
                batch[i] = queue.Dequeue();
                takenBytes += batch[i].BytesEstimate;
            }
            taken = batch.Length;
            return batch;
        }
    }

    /// <returns>The reason to drop the batch; null when it was sent.</returns>
    private async Task<string?> SendAsync(OperationRecord[] batch)
    {
        Task? own = null;
        for (var attempt = 1; ; attempt++)
        {
            await BackOffAsync();
            // Wait for a call that timed out, of this batch or of an earlier one.
            await WithinAsync(settings.AttemptTimeMax, call, over.Token);
            if (call.IsCompleted && !IsSettled(own) && !over.IsCancellationRequested)
            {
                own = call = await CallAsync(batch);
            }
            if (own is not null && IsSettled(own))
            {
                failures = 0;
                return own.IsCompletedSuccessfully ? null : DropReason.Refused;
            }
            if (over.IsCancellationRequested)
            {
                return DropReason.Closed;
            }
            failures++;
            if (attempt == settings.AttemptsMax)
            {
                return DropReason.Failed;
            }
        }
    }

    private static bool IsSettled(Task? call) =>
        call is { IsCompletedSuccessfully: true } or { Exception.InnerException: ExporterRefusedException };

    // Backoff after consecutive failures, also those of earlier batches: dropping a batch does not shorten it.
    private async Task BackOffAsync()
    {
        if (failures > 0)
        {
            if (call.Exception?.InnerException is ExporterBusyException { RetryDelayMin: var requested }
                && requested > TimeSpan.Zero)
            {
                // Shutdown does not shorten the delay of a throttling receiver.
                var bounded = requested < settings.RetryTimeMax ? requested : settings.RetryTimeMax;
                await Task.Delay(bounded, time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            var isClosing = stopping.IsCancellationRequested;
            var min = settings.RetryTimeMin.TotalMilliseconds;
            var max = isClosing ? min : Math.Min(min * Math.Pow(2, failures), settings.RetryTimeMax.TotalMilliseconds);
            // Jitter: a random delay, so that many processes do not retry at the same time.
            var pause = TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32((int)min, (int)max + 1));
            await Task.Delay(pause, time, isClosing ? over.Token : stopping.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>The call, which has ended or timed out.</returns>
    private async Task<Task> CallAsync(OperationRecord[] batch)
    {
        var cancel = new CancellationTokenSource();
        // On another thread, since an exporter may block, and so that the task captures any exception.
        var started = Task.Run(() => exporter.SendAsync(batch, cancel.Token).AsTask());
        await WithinAsync(settings.AttemptTimeMax, started, over.Token);
        if (!started.IsCompleted)
        {
            // Neither awaited nor left to a timer: cancellation callbacks of the exporter may hang or throw, too.
            _ = cancel.CancelAsync();
        }
        return started;
    }

    private async Task WithinAsync(TimeSpan timeMax, Task task, CancellationToken cancel) =>
        await task.WaitAsync(timeMax, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private void CountOutcome(int records, string? reason)
    {
        lock (gate)
        {
            bytes -= takenBytes;
            (taken, takenBytes) = (0, 0);
            if (reason is null)
            {
                sent += records;
                return;
            }
            dropped[reason] += records;
        }
        drops.Add(records, reason);
    }
}
