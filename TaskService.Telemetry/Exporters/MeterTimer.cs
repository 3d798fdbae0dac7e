using System.Diagnostics.Metrics;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters;

/// <summary>Sends the measurements of meters through an exporter, periodically and at shutdown.</summary>
internal sealed class MeterTimer : IAsyncDisposable
{
    // Timeout margin for an exporter that ignores its token, and timeout of the last call at shutdown.
    private static readonly TimeSpan GraceTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(2);

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "taskservice.exporter.meter.failures", "{time}", "Times that meters could not be sent, by exporter.");

    private readonly string name;
    private readonly IMeterExporter exporter;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task worker;

    public MeterTimer(string name, IMeterExporter exporter)
    {
        (this.name, this.exporter) = (name, exporter);
        worker = ExporterQueue.RunDetached(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await worker.ConfigureAwait(false);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(exporter.MetersInterval);
        bool isLast;
        do
        {
            Task tick = timer.WaitForNextTickAsync(stopping.Token).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Read before sending: measurements during this call need a last call.
            isLast = stopping.IsCancellationRequested;
            await SendAsync().ConfigureAwait(false);
        }
        while (!isLast);
    }

    private async Task SendAsync()
    {
        using var time = new CancellationTokenSource(exporter.MetersTimeMax);
        using var over = new CancellationTokenSource();
        await using var closing = stopping.Token.UnsafeRegister(_ => over.CancelAfter(ClosingTimeMax), null);
        try
        {
            // On a thread that it may block, with a timeout even if it ignores its token.
            var sent = Task.Run(() => exporter.SendMetersAsync(time.Token).AsTask());
            await sent.WaitAsync(exporter.MetersTimeMax + GraceTime, over.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            Failures.AddSafely(1, new KeyValuePair<string, object?>("exporter", name));
        }
    }
}
