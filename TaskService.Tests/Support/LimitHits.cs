using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace TaskService.Tests.Support;

/// <summary>
/// The counters of limits that were hit, from the moment on that this exists. They are the process's: other tests may
/// add to them at the same time.
/// </summary>
internal sealed class LimitHits : IDisposable
{
    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<string, long> counts = new();

    public LimitHits()
    {
        listener.InstrumentPublished = (instrument, own) =>
        {
            if (IsOurs(instrument) || instrument.Meter.Name == "Microsoft.AspNetCore.Server.Kestrel")
            {
                own.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var tag = IsOurs(instrument) && tags.Length > 0 ? $"{tags[0].Value}" : "";
            counts.AddOrUpdate($"{instrument.Name} {tag}".Trim(), value, (_, sum) => sum + value);
        });
        listener.Start();
    }

    /// <param name="counter">Its name, and the value of its tag if it has one.</param>
    public long this[string counter] => counts.GetValueOrDefault(counter);

    public void Dispose() => listener.Dispose();

    private static bool IsOurs(Instrument instrument) =>
        instrument.Meter.Name is "TaskService" or "TaskService.Telemetry";
}
