using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using TaskService.Telemetry.Operations;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace TaskService.Telemetry.Exporters.Prometheus;

/// <summary>
/// Sums the measurements of meters since the start, for Prometheus, which reads them when it wants. Measurements may
/// come from any thread.
/// </summary>
/// <remarks>
/// Meters of the framework (<c>Microsoft</c> and <c>System</c>) measure every request. They are listened to from the
/// first scrape on, so that they cost nothing where nobody scrapes.
/// </remarks>
public sealed class PrometheusMeters : IDisposable
{
    /// <summary>The limit of cardinality: instruments times their tags.</summary>
    public const int SeriesMax = 2_000;

    private static readonly string[] Framework = ["Microsoft", "System"];

    private readonly Lock gate = new();
    private readonly Lock reading = new();
    private readonly MeterListener listener = new();
    private readonly Meter own = new("TaskService.Telemetry");
    private readonly SortedDictionary<string, PrometheusFamily> families = new(StringComparer.Ordinal);
    private readonly List<Instrument> pending = [];
    private readonly string serviceName;

    // The counters and gauges that are not of the framework.
    private readonly List<PrometheusSeries> statistics = [];
    private bool isScraped;
    private int tagSets;
    private long dropped;

    /// <summary>Listens from now on; earlier counts are not reported.</summary>
    /// <param name="meters">Names of meters; each includes all names below it, by whole words between dots.</param>
    /// <param name="serviceName">In <c>target_info</c>.</param>
    public PrometheusMeters(IReadOnlyList<string> meters, string serviceName)
    {
        this.serviceName = serviceName;
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.IsAmong(meters) && !Defer(instrument))
            {
                Enable(instrument);
            }
        };
        listener.OnMeasurement(Measure);
        own.CreateObservableCounter(
            "taskservice.exporter.meter.drops", () => Dropped, "{measurement}", "Measurements that were lost.");
        listener.Start();
    }

    /// <summary>
    /// Dropped measurements: of series beyond the limit, values that are not finite, those of an instrument whose name
    /// is that of another kind, and one for each scrape in which an observable instrument failed.
    /// </summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>All series, in the text format 0.0.4 of Prometheus or that of OpenMetrics 1.0.</summary>
    public byte[] Scrape(bool isOpenMetrics)
    {
        List<Instrument> begun;
        lock (gate)
        {
            isScraped = true;
            begun = [.. pending];
            pending.Clear();
        }
        // Outside of the gate: the runtime has a lock of its own, under which it publishes instruments.
        begun.ForEach(Enable);
        lock (reading)
        {
            Observe();
            lock (gate)
            {
                return PrometheusText.Write(families.Values, serviceName, isOpenMetrics);
            }
        }
    }

    /// <summary>
    /// The counters and gauges of all meters but those of the framework, by their names: how much counters have grown
    /// since they were taken, and the values of gauges. Series of which there is nothing to say are left out.
    /// </summary>
    /// <param name="isTaken">
    /// Whether they are taken now: exactly what is returned. Counters begin at 0 again, gauges with the next value.
    /// </param>
    public IReadOnlyList<(MetricName Name, bool IsCounter, double Value)> Read(bool isTaken)
    {
        lock (reading)
        {
            Observe();
            List<PrometheusSeries> series;
            lock (gate)
            {
                series = [.. statistics];
            }
            return
            [
                .. series.Select(one => (one.Name, one.Kind == InstrumentKind.Counter, Value: one.ReadChange(isTaken)))
                    .Where(one => one.Value is not null)
                    .Select(one => (one.Name, one.Item2, one.Value!.Value)),
            ];
        }
    }

    public void Dispose()
    {
        listener.Dispose();
        own.Dispose();
    }

    private bool Defer(Instrument instrument)
    {
        if (!instrument.IsAmong(Framework))
        {
            return false;
        }
        lock (gate)
        {
            if (!isScraped)
            {
                pending.Add(instrument);
            }
            return !isScraped;
        }
    }

    private void Enable(Instrument instrument) => listener.EnableMeasurementEvents(
        instrument, new ConcurrentDictionary<Tag[], PrometheusSeries>(Instruments.TagComparer.Instance));

    private void Observe()
    {
        lock (gate)
        {
            foreach (var series in families.Values.SelectMany(family => family.Series.Values))
            {
                series.BeginObservation();
            }
        }
        if (!listener.TryObserve())
        {
            Interlocked.Increment(ref dropped);
        }
    }

    private void Measure(Instrument instrument, double value, ReadOnlySpan<Tag> tags, object? state)
    {
        if (double.IsFinite(value) && state is ConcurrentDictionary<Tag[], PrometheusSeries> series
            && (series.GetAlternateLookup<ReadOnlySpan<Tag>>().TryGetValue(tags, out var found)
                || Add(instrument, tags, series, out found)))
        {
            found.Add(value);
            return;
        }
        Interlocked.Increment(ref dropped);
    }

    private bool Add(
        Instrument instrument,
        ReadOnlySpan<Tag> tags,
        ConcurrentDictionary<Tag[], PrometheusSeries> known,
        [NotNullWhen(true)] out PrometheusSeries? series)
    {
        series = null;
        if (Volatile.Read(ref tagSets) >= SeriesMax)
        {
            return false;
        }
        var kind = Instruments.KindOf(instrument);
        var (name, unit) = PrometheusName.Of(instrument, kind);
        var labels = PrometheusName.LabelsOf(instrument, tags, kind);
        lock (gate)
        {
            if (!families.TryGetValue(name, out var family))
            {
                family = new(name, unit, kind, instrument.Description is { Length: > 0 } help ? help : instrument.Name);
                families.Add(name, family);
            }
            if (family.Kind != kind || tagSets >= SeriesMax)
            {
                return false;
            }
            if (!family.Series.TryGetValue(labels, out series))
            {
                series = new(
                    Instruments.NameOf(instrument, tags), kind, instrument.IsObservable,
                    kind == InstrumentKind.Histogram ? PrometheusSeries.BoundsOf(instrument) : []);
                family.Series.Add(labels, series);
                if (kind != InstrumentKind.Histogram && !instrument.IsAmong(Framework))
                {
                    statistics.Add(series);
                }
            }
            // Tags in another order are the same series.
            known[tags.ToArray()] = series;
            tagSets++;
            return true;
        }
    }
}
