using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace TaskService.Tests.Exporters;

/// <summary>The metric of the drops of one exporter, by reason, from the moment on that this exists.</summary>
internal sealed class CountedDrops : IDisposable
{
    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<string, long> counts = new();

    public CountedDrops(string exporter)
    {
        listener.InstrumentPublished = (instrument, own) =>
        {
            if (instrument is { Name: "taskservice.exporter.drops", Meter.Name: "TaskService.Telemetry" })
            {
                own.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.Contains(new("exporter", exporter)))
            {
                var reason = Assert.Single(tags.ToArray(), tag => tag.Key == "reason").Value;
                counts.AddOrUpdate($"{reason}", value, (_, sum) => sum + value);
                Assert.False(Throws, "as told");
            }
        });
        listener.Start();
    }

    /// <summary>Whether whoever counts a drop gets an exception.</summary>
    public bool Throws { get; init; }

    public long this[string reason] => counts.GetValueOrDefault(reason);

    public void Dispose() => listener.Dispose();
}
