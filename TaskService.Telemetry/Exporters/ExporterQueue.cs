using System.Security.Cryptography;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters;

/// <summary>
/// Takes records from any thread and sends them to one exporter, in order and in batches: whoever posts never waits for
/// the exporter. What fails is sent again after a pause that doubles while the exporter is down; what cannot be sent is
/// dropped and counted, with one warning when that begins and one when it has ended.
/// </summary>
/// <remarks>
/// The exporter is called by one thread at a time. A call that does not end in time is cancelled and has failed, but no
/// other begins before it ended; if it did send, its batch is sent when it was not dropped yet, and not sent again.
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

    // Of closing: when it begins, and when its time is over.
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

    // Of the worker: the last call of the exporter, which may go on after it was given up, and failures in a row.
    private Task call = Task.CompletedTask;
    private int failures;

    /// <param name="name">How warnings and metrics call the exporter.</param>
    /// <param name="exporter">Disposed of at the end, when it can be.</param>
    /// <param name="settings">Limits.</param>
    /// <param name="warn">Called when drops begin and end, by one thread at a time, never by one that posts.</param>
    /// <param name="time">Of all pauses and limits.</param>
    public ExporterQueue(
        string name, IExporter exporter, ExporterQueueSettings settings, DropsWarning warn, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(settings);
        (this.exporter, this.settings, this.time) = (exporter, settings, time);
        drops = new ExporterDrops(name, warn, time);
        queue = new Queue<OperationRecord>(settings.RecordsMax);
        worker = RunDetached(RunAsync);
    }

    /// <summary>What became of all records, at one moment.</summary>
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

    /// <summary>Takes a record. Never waits, never throws; after the end, the record is dropped.</summary>
    public void Post(OperationRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        string reason;
        var recordBytes = record.BytesEstimate;
        lock (gate)
        {
            produced++;
            if (closing is null
                && queue.Count + taken < settings.RecordsMax && bytes + recordBytes <= settings.BytesMax)
            {
                queue.Enqueue(record);
                bytes += recordBytes;
                if (queue.Count == wanted)
                {
                    enough.TrySetResult();
                }
                return;
            }
            reason = closing is null ? DropReason.QueueFull : DropReason.Closed;
            dropped[reason]++;
        }
        drops.Add(1, reason);
    }

    /// <summary>
    /// Sends what waits, in the time that closing may take, drops the rest and disposes of the exporter. One whose last
    /// call goes on is disposed of when that ends, which is not waited for.
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

    /// <summary>Runs it outside of any operation or activity, marked as exporting.</summary>
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
            // All records are accounted for: there is nothing left that it could spoil.
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
            // Once it is, no record comes after those that are taken now.
            isClosed = stopping.IsCancellationRequested;
            batch = Take();
            if (batch.Length > 0)
            {
                CountOutcome(batch.Length, await SendAsync(batch));
            }
        }
        while (!isClosed || batch.Length > 0);
    }

    // Ends when so many records wait.
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
            // A new array: a call that was given up may still read the last one.
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

    /// <returns>Why the batch is to be dropped; null when it was sent.</returns>
    private async Task<string?> SendAsync(OperationRecord[] batch)
    {
        Task? own = null;
        for (var attempt = 1; ; attempt++)
        {
            await BackOffAsync();
            // One that was given up, of this batch or of one before it.
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

    // After failures, also those of batches before: an exporter that is down is not asked more often for having them.
    private async Task BackOffAsync()
    {
        if (failures > 0)
        {
            if (call.Exception?.InnerException is ExporterBusyException { RetryDelayMin: var asked }
                && asked > TimeSpan.Zero)
            {
                // Closing does not shorten it: who has too much to do is not asked more often for that.
                var bounded = asked < settings.RetryTimeMax ? asked : settings.RetryTimeMax;
                await Task.Delay(bounded, time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            var isClosing = stopping.IsCancellationRequested;
            var min = settings.RetryTimeMin.TotalMilliseconds;
            var max = isClosing ? min : Math.Min(min * Math.Pow(2, failures), settings.RetryTimeMax.TotalMilliseconds);
            // Any time between, so that many processes do not come back to a receiver all at once.
            var pause = TimeSpan.FromMilliseconds(RandomNumberGenerator.GetInt32((int)min, (int)max + 1));
            await Task.Delay(pause, time, isClosing ? over.Token : stopping.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>The call: it ended, or its time did.</returns>
    private async Task<Task> CallAsync(OperationRecord[] batch)
    {
        var cancel = new CancellationTokenSource();
        // Not in this thread, which an exporter may block, and so that whatever it throws is kept in the task.
        var started = Task.Run(() => exporter.SendAsync(batch, cancel.Token).AsTask());
        await WithinAsync(settings.AttemptTimeMax, started, over.Token);
        if (!started.IsCompleted)
        {
            // Not awaited, nor left to a timer: what the exporter does when it is cancelled may hang or throw, too.
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
