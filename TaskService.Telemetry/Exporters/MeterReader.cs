using System.Diagnostics.Metrics;
using TaskService.Telemetry.Operations;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace TaskService.Telemetry.Exporters;

/// <summary>
/// Aggregates the measurements of instruments of System.Diagnostics.Metrics, from one collection to the next. Names are
/// those of the instruments, split at dots. Measurements may come from any thread.
/// </summary>
public sealed class MeterReader : IDisposable
{
    /// <summary>Maximum of histogram values that are kept for one collection.</summary>
    public const int TimersMax = 10_000;

    private readonly Lock gate = new();
    private readonly MeterListener listener = new();
    private readonly Meter own = new("TaskService.Telemetry");
    private readonly List<Series> all = [];
    private readonly int seriesMax;
    private List<Metric> timers = [];
    private long dropped;

    /// <summary>Listens from now on; earlier counts are not reported.</summary>
    /// <param name="meters">Names of meters; each includes all names below it, by whole words between dots.</param>
    /// <param name="seriesMax">Limit of cardinality: instruments times their tags.</param>
    public MeterReader(IReadOnlyList<string> meters, int seriesMax = 1000)
    {
        this.seriesMax = seriesMax;
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.IsAmong(meters))
            {
                self.EnableMeasurementEvents(
                    instrument, new Dictionary<Tag[], Series>(Instruments.TagComparer.Instance));
            }
        };
        listener.OnMeasurement(Measure);
        // An observable counter: to count on the spot would be a measurement within a measurement.
        own.CreateObservableCounter(
            "taskservice.exporter.meter.drops", () => Dropped, "{measurement}", "Measurements that were lost.");
        listener.Start();
        Observe();
        lock (gate)
        {
            all.ForEach(series => series.Reported = series.Total);
        }
    }

    /// <summary>
    /// Dropped measurements: of series and histograms beyond the limits, values that are not finite, measurements that
    /// could not be sent, and one for each collection in which an observable instrument failed.
    /// </summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Counts collected measurements that could not be sent.</summary>
    public void CountLost(int metrics) => Interlocked.Add(ref dropped, metrics);

    /// <summary>
    /// The changes of counters since the last collection (those without any are left out), the values of gauges, and
    /// every value of a histogram (seconds as milliseconds). A value that an observable instrument no longer observes
    /// is not repeated. One thread at a time.
    /// </summary>
    public IReadOnlyList<Metric> Collect()
    {
        Observe();
        lock (gate)
        {
            var metrics = timers;
            timers = [];
            foreach (var series in all)
            {
                if (series.Take() is { } value)
                {
                    metrics.Add(new Metric(series.Name, series.Kind, value));
                }
            }
            return metrics;
        }
    }

    public void Dispose()
    {
        listener.Dispose();
        own.Dispose();
    }

    private void Observe()
    {
        if (!listener.TryObserve())
        {
            Interlocked.Increment(ref dropped);
        }
    }

    private void Measure(Instrument instrument, double value, ReadOnlySpan<Tag> tags, object? state)
    {
        lock (gate)
        {
            var isKept = double.IsFinite(value) && state is Dictionary<Tag[], Series> known
                && Find(instrument, tags, known) is { } series && Keep(series, instrument, value);
            if (!isKept)
            {
                Interlocked.Increment(ref dropped);
            }
        }
    }

    private Series? Find(Instrument instrument, ReadOnlySpan<Tag> tags, Dictionary<Tag[], Series> known)
    {
        if (known.GetAlternateLookup<ReadOnlySpan<Tag>>().TryGetValue(tags, out var series) || all.Count >= seriesMax)
        {
            return series;
        }
        var kind = Instruments.KindOf(instrument) switch
        {
            InstrumentKind.Counter => MetricKind.Counter,
            InstrumentKind.UpDownCounter when !instrument.IsObservable => MetricKind.Counter,
            InstrumentKind.Histogram => MetricKind.Timer,
            _ => MetricKind.Gauge,
        };
        series = new Series(Instruments.NameOf(instrument, tags), kind, instrument.IsObservable);
        known.Add(tags.ToArray(), series);
        all.Add(series);
        return series;
    }

    private bool Keep(Series series, Instrument instrument, double value)
    {
        if (series.Kind != MetricKind.Timer)
        {
            series.Set(value);
            return true;
        }
        if (timers.Count >= TimersMax)
        {
            return false;
        }
        timers.Add(new Metric(series.Name, series.Kind, instrument.Unit == "s" ? value * 1000 : value));
        return true;
    }

    /// <summary>An instrument with one set of tags.</summary>
    private sealed class Series(MetricName name, MetricKind kind, bool isObservable)
    {
        private bool isNew;

        public MetricName Name { get; } = name;

        public MetricKind Kind { get; } = kind;

        /// <summary>The sum of a counter, or the last value of a gauge.</summary>
        public double Total { get; private set; }

        /// <summary>The part of it that earlier collections have reported.</summary>
        public double Reported { get; set; }

        public void Set(double value)
        {
            Total = Kind == MetricKind.Counter && !isObservable ? Total + value : value;
            isNew = true;
        }

        public double? Take()
        {
            var hasValue = isNew || !isObservable;
            isNew = false;
            if (Kind != MetricKind.Counter)
            {
                return Kind == MetricKind.Gauge && hasValue ? Total : null;
            }
            // An observed counter that is lower than before was reset.
            var change = isObservable && Total < Reported ? Total : Total - Reported;
            // A sum that restarts at 0 stays exact.
            (Total, Reported) = isObservable ? (Total, Total) : (0, 0);
            return change == 0 ? null : change;
        }
    }
}
