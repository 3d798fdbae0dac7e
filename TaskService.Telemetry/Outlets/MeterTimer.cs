using System.Diagnostics.Metrics;

namespace TaskService.Telemetry.Outlets;

/// <summary>Has an outlet send what meters measure, time and again, and once more at the end.</summary>
internal sealed class MeterTimer : IAsyncDisposable
{
    // Of one that does not heed its token, and of any once the end has come.
    private static readonly TimeSpan GraceTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(2);

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "taskservice.outlet.meter.failures", "{time}", "Times that meters could not be sent, by outlet.");

    private readonly string name;
    private readonly IMeterOutlet outlet;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task worker;

    public MeterTimer(string name, IMeterOutlet outlet)
    {
        (this.name, this.outlet) = (name, outlet);
        worker = OutletQueue.RunApart(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await worker.ConfigureAwait(false);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(outlet.MetersInterval);
        bool isLast;
        do
        {
            Task tick = timer.WaitForNextTickAsync(stopping.Token).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // Else what is measured while they are sent would not be.
            isLast = stopping.IsCancellationRequested;
            await SendAsync().ConfigureAwait(false);
        }
        while (!isLast);
    }

    private async Task SendAsync()
    {
        using var time = new CancellationTokenSource(outlet.MetersTimeMax);
        using var over = new CancellationTokenSource();
        await using var closing = stopping.Token.UnsafeRegister(_ => over.CancelAfter(ClosingTimeMax), null);
        try
        {
            // In a thread that it may block, and not longer, also when it does not heed its token.
            var sent = Task.Run(() => outlet.SendMetersAsync(time.Token).AsTask());
            await sent.WaitAsync(outlet.MetersTimeMax + GraceTime, over.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            Failures.AddSafely(1, new KeyValuePair<string, object?>("outlet", name));
        }
    }
}
