using BenchmarkDotNet.Attributes;
using TaskService.Telemetry;
using TaskService.Telemetry.Outlets;

namespace TaskService.Benchmarks.Micro;

/// <summary>An operation within a request: start, three fields, end.</summary>
[MemoryDiagnoser]
public class OperationBenchmark
{
    private TelemetrySystem telemetry = null!;

    /// <summary>Who reads it.</summary>
    [Params("nobody", "statistics", "timers", "events")]
    public string Reader { get; set; } = "";

    [GlobalSetup]
    public void Start()
    {
        var outlet = new OutletSettings(
            "none",
            Reader == "events" ? OutletInput.Events : OutletInput.Operations,
            () => new Nowhere(),
            new OutletQueueSettings { RecordsMax = 1_000_000 });
        telemetry = new TelemetrySystem(
            new TelemetrySettings
            {
                Statistics = Reader == "statistics",
                Outlets = Reader is "timers" or "events" ? [outlet] : [],
            },
            (_, _, _) => { });
        telemetry.StartRequest("0123456789abcdef0123456789abcdef", null);
    }

    [Benchmark]
    public void StartSetEnd()
    {
        using var operation = telemetry.Start(".sql");
        operation.Set("query", "SELECT 1");
        operation.Set("row_count", 1);
        operation.Set("is_cached", false);
    }

    [GlobalCleanup]
    public async Task Stop() => await telemetry.DisposeAsync();

    private sealed class Nowhere : IOutlet
    {
        public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel) =>
            ValueTask.CompletedTask;
    }
}
