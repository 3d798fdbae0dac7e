using System.Diagnostics.Metrics;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters;

/// <summary>Called when drops begin and when they have ended.</summary>
/// <param name="message"><c>EXPORTER DROPS BEGIN</c> or <c>EXPORTER DROPS END</c>.</param>
/// <param name="exporter">Its name.</param>
/// <param name="count">Number of records dropped since drops began.</param>
public delegate void DropsWarning(string message, string exporter, long count);

/// <summary>Counts the drops of one exporter, and warns when they begin and when they have ended.</summary>
internal sealed class ExporterDrops(string exporter, DropsWarning warn, TimeProvider time)
{
    /// <summary>How long no record may be dropped before drops have ended.</summary>
    public static readonly TimeSpan QuietTimeMin = TimeSpan.FromSeconds(1);

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Counter = Meter.CreateCounter<long>(
        "taskservice.exporter.drops", "{record}", "Records that were dropped, by exporter and reason.");

    private readonly Lock gate = new();
    private readonly TaskCompletionSource end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task reporting = Task.CompletedTask;
    private bool isReporting;
    private long count;

    // State of the reporting task: the drops whose end was reported.
    private long reported;

    /// <summary>Counts drops. Never waits, never throws.</summary>
    public void Add(int records, string reason)
    {
        lock (gate)
        {
            count += records;
            if (!isReporting && !end.Task.IsCompleted)
            {
                isReporting = true;
                reporting = ExporterQueue.RunDetached(ReportAsync);
            }
        }
        // Outside of the gate, since listeners of the meter run on this thread.
        Counter.AddSafely(records, new("exporter", exporter), new("reason", reason));
    }

    /// <summary>Reports the end of current drops. Later ones are counted, but not reported.</summary>
    public Task EndAsync()
    {
        lock (gate)
        {
            end.TrySetResult();
            return reporting;
        }
    }

    private async Task ReportAsync()
    {
        do
        {
            var now = Interlocked.Read(ref count);
            Warn("EXPORTER DROPS BEGIN", now - reported);
            long before;
            do
            {
                before = now;
                await end.Task.WaitAsync(QuietTimeMin, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                now = Interlocked.Read(ref count);
            }
            while (now > before && !end.Task.IsCompleted);
            Warn("EXPORTER DROPS END", now - reported);
            reported = now;
        }
        while (GoesOn());
    }

    private bool GoesOn()
    {
        lock (gate)
        {
            return isReporting = count > reported && !end.Task.IsCompleted;
        }
    }

    private void Warn(string message, long records)
    {
        try
        {
            warn(message, exporter, records);
        }
        catch (Exception)
        {
            // A failed warning must not drop more records.
        }
    }
}
