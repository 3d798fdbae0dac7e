using System.Text.Json;
using TaskService.Telemetry;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Exporters;

namespace TaskService.Tests.Support;

/// <summary>Operations whose events go to a file, as a program would have them.</summary>
internal sealed class EventFile : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();

    public EventFile(params (string Type, Sample Sample)[] samples)
    {
        var file = new LogFileSettings(directory.File("events.json"), 0, 0);
        var exporter = new ExporterSettings(
            "events", ExporterInput.Events, () => JsonEventExporter.ToFile(file), new ExporterQueueSettings
            {
                RecordsMax = 100_000,
                CloseTimeMax = Until.Limit,
            });
        Telemetry = new TelemetrySystem(
            new TelemetrySettings
            {
                Exporters = [exporter],
                EventSamples = samples.ToDictionary(sample => sample.Type, sample => sample.Sample),
            },
            (_, _, _) => { });
    }

    public TelemetrySystem Telemetry { get; }

    /// <summary>Ends it.</summary>
    /// <returns>All events, in the order in which they ended.</returns>
    public async Task<List<JsonElement>> ReadAsync()
    {
        await Telemetry.DisposeAsync();
        return [.. File.ReadLines(directory.File("events.json")).Select(line => JsonElement.Parse(line))];
    }

    public async ValueTask DisposeAsync()
    {
        await Telemetry.DisposeAsync();
        directory.Dispose();
    }
}
