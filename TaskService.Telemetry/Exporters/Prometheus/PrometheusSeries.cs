using System.Diagnostics.Metrics;
using System.Numerics;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters.Prometheus;

/// <summary>The series of one name.</summary>
/// <param name="Name">With its unit, and without the suffix of a counter.</param>
/// <param name="Unit">At the end of the name; null for none.</param>
/// <param name="Kind">Of all instruments of this name.</param>
/// <param name="Help">A sentence.</param>
internal sealed record PrometheusFamily(string Name, string? Unit, InstrumentKind Kind, string Help)
{
    /// <summary>By their labels.</summary>
    public SortedDictionary<string, PrometheusSeries> Series { get; } = new(StringComparer.Ordinal);
}

/// <summary>The measurements of an instrument with one set of tags since the start. Safe for use by several threads at
/// once.</summary>
/// <param name="name">In statistics.</param>
/// <param name="kind">Of the instrument.</param>
/// <param name="isObservable">Whether the instrument gives sums by itself.</param>
/// <param name="bounds">Of the buckets of a histogram, upwards.</param>
internal sealed class PrometheusSeries(MetricName name, InstrumentKind kind, bool isObservable, double[] bounds)
{
    // The defaults of OpenTelemetry.
    private static readonly double[] DefaultBounds =
        [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];

    private readonly Lock gate = new();
    private readonly long[] buckets = new long[kind == InstrumentKind.Histogram ? bounds.Length + 1 : 0];
    private double total;
    private double taken;
    private bool isSet;
    private bool isSetSinceTaken;

    public MetricName Name { get; } = name;

    public InstrumentKind Kind { get; } = kind;

    public double[] Bounds { get; } = bounds;

    /// <summary>The bounds that the instrument advises, else those of OpenTelemetry.</summary>
    public static double[] BoundsOf(Instrument instrument)
    {
        return Of<double>() ?? Of<long>() ?? Of<int>() ?? Of<float>() ?? Of<short>() ?? Of<byte>() ?? Of<decimal>()
            ?? DefaultBounds;

        double[]? Of<T>()
            where T : struct, INumberBase<T> =>
            instrument is Instrument<T> { Advice.HistogramBucketBoundaries: { } advised }
                ? [.. advised.Select(double.CreateSaturating)] : null;
    }

    /// <summary>Before an observable instrument is read again: it may no longer have this series.</summary>
    public void BeginObservation()
    {
        lock (gate)
        {
            isSet &= !isObservable;
        }
    }

    public void Add(double value)
    {
        lock (gate)
        {
            if (Kind == InstrumentKind.Histogram)
            {
                var bucket = Array.BinarySearch(Bounds, value);
                buckets[bucket < 0 ? ~bucket : bucket]++;
            }
            // Several instruments of one name may observe the same series: their sums are added.
            var isFirst = Kind == InstrumentKind.Gauge || (isObservable && !isSet);
            total = isFirst ? value : total + value;
            isSet = isSetSinceTaken = true;
        }
    }

    /// <summary>
    /// The sum or the last value, and of a histogram how many measurements are in each bucket; null for none.
    /// </summary>
    /// <param name="counts">Gets the buckets, that of the values above all bounds last.</param>
    public double? Read(List<long> counts)
    {
        lock (gate)
        {
            counts.AddRange(buckets);
            return isSet ? total : null;
        }
    }

    /// <summary>The change of a counter since it was taken, or the value of a gauge; null for none.</summary>
    /// <param name="isTaken">Whether it is taken now.</param>
    public double? ReadChange(bool isTaken)
    {
        lock (gate)
        {
            // An observed counter that is lower than before was reset.
            double? value = Kind != InstrumentKind.Counter ? total : total >= taken ? total - taken : total;
            var isRead = isSet && (isSetSinceTaken || Kind != InstrumentKind.Gauge)
                && (value != 0 || Kind != InstrumentKind.Counter);
            if (isTaken)
            {
                (taken, isSetSinceTaken) = (total, false);
            }
            return isRead ? value : null;
        }
    }
}
