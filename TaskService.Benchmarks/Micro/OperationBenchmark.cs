using BenchmarkDotNet.Attributes;
using TaskService.Telemetry;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Exporters;

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
        var exporter = new ExporterSettings(
            "none",
            Reader == "events" ? ExporterInput.Events : ExporterInput.Operations,
            () => new Nowhere(),
            new ExporterQueueSettings { RecordsMax = 1_000_000 });
        telemetry = new TelemetrySystem(
            new TelemetrySettings
            {
                Statistics = Reader == "statistics",
                Exporters = Reader is "timers" or "events" ? [exporter] : [],
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

    private sealed class Nowhere : IExporter
    {
        public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel) =>
            ValueTask.CompletedTask;
    }
}
