using System.Diagnostics.Metrics;
using TaskService.Telemetry;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Exporters;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>Meters are sent time and again, whatever happens, and once more at the end.</summary>
public sealed class MeterTimerTests : IDisposable
{
    private static int tests;

    private readonly MeterListener listener = new();
    private readonly string name = $"meters-{Interlocked.Increment(ref tests)}";
    private int failures;

    public MeterTimerTests()
    {
        listener.InstrumentPublished = (instrument, own) =>
        {
            if (instrument.Name == "taskservice.exporter.meter.failures")
            {
                own.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            if (tags.Contains(new("exporter", name)))
            {
                Interlocked.Increment(ref failures);
                throw new InvalidOperationException("a listener");
            }
        });
        listener.Start();
    }

    public void Dispose() => listener.Dispose();

    [Fact]
    public async Task Exceptions_of_exporters_and_listeners_stop_neither_the_timer_nor_shutdown()
    {
        var exporter = new SomeMeters(_ => throw new IOException("no meters"));
        await using (var telemetry = Open(exporter))
        {
            telemetry.Start("a").Dispose();
            await Until.TrueAsync(() => exporter.Calls > 2, "meters that are sent a third time");
        }
        // One that began late, on a machine that stands still, comes after its failure.
        await Until.TrueAsync(() => exporter.Calls == Volatile.Read(ref failures), "a failure for each call");
        Assert.Equal(["a"], exporter.Sent);
    }

    [Fact]
    public async Task Measurements_during_an_export_are_sent_at_shutdown()
    {
        var held = new TaskCompletionSource();
        var exporter = new SomeMeters(_ => held.Task);
        var telemetry = Open(exporter);
        await Until.TrueAsync(() => exporter.Calls == 1, "meters that are sent");
        var closing = telemetry.DisposeAsync();
        held.SetResult();
        await closing;
        Assert.Equal(2, exporter.Calls);
    }

    [Fact]
    public async Task An_export_within_its_timeout_has_not_failed()
    {
        using var slow = new PeriodicTimer(TimeSpan.FromMilliseconds(2_500));
        var exporter = new SomeMeters(async cancel => await slow.WaitForNextTickAsync(cancel))
        {
            MetersTimeMax = Until.Limit,
        };
        await using (Open(exporter))
        {
            await Until.TrueAsync(() => exporter.Ended > 0, "meters that were sent");
            Assert.Equal(0, failures);
        }
    }

    private TelemetrySystem Open(SomeMeters exporter) => new(
        new TelemetrySettings
        {
            Exporters = [new ExporterSettings(name, ExporterInput.Operations, () => exporter, new())],
        },
        (_, _, _) => { });

    /// <summary>Sends operations, and meters as it is told.</summary>
    private sealed class SomeMeters(Func<CancellationToken, Task> send) : IExporter, IMeterExporter
    {
        private int calls;
        private int ended;

        public int Calls => Volatile.Read(ref calls);

        public int Ended => Volatile.Read(ref ended);

        public List<string> Sent { get; } = [];

        public TimeSpan MetersInterval => TimeSpan.FromMilliseconds(1);

        public TimeSpan MetersTimeMax { get; init; } = TimeSpan.FromSeconds(1);

        public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel)
        {
            Sent.AddRange(batch.Select(record => record.Type));
            return ValueTask.CompletedTask;
        }

        public async ValueTask SendMetersAsync(CancellationToken cancel)
        {
            Interlocked.Increment(ref calls);
            await send(cancel);
            Interlocked.Increment(ref ended);
        }
    }
}
