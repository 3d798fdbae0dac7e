using System.Diagnostics.Metrics;
using System.Globalization;
using System.Numerics;
using TaskService.Telemetry.Operations;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace TaskService.Telemetry.Exporters;

/// <summary>Handles a measurement of any numeric type.</summary>
internal delegate void MeasurementHandler(
    Instrument instrument, double value, ReadOnlySpan<Tag> tags, object? state);

/// <summary>How the measurements of an instrument are aggregated.</summary>
internal enum InstrumentKind
{
    /// <summary>A sum that only grows.</summary>
    Counter,

    /// <summary>A sum that may fall.</summary>
    UpDownCounter,

    /// <summary>A current value.</summary>
    Gauge,

    /// <summary>A distribution.</summary>
    Histogram,
}

/// <summary>Reads instruments of System.Diagnostics.Metrics; for all that aggregate them.</summary>
internal static class Instruments
{
    /// <summary>Whether one of the meters, or one above it by whole words between dots, is that of the
    /// instrument.</summary>
    public static bool IsAmong(this Instrument instrument, IReadOnlyList<string> meters) =>
        meters.Any(name => Covers(name, instrument.Meter.Name));

    /// <summary>Sets the callback of all numeric types.</summary>
    public static void OnMeasurement(this MeterListener listener, MeasurementHandler handle)
    {
        Set<byte>();
        Set<short>();
        Set<int>();
        Set<long>();
        Set<float>();
        Set<double>();
        Set<decimal>();

        void Set<T>()
            where T : struct, INumberBase<T> =>
            listener.SetMeasurementEventCallback<T>((instrument, value, tags, state) =>
                handle(instrument, double.CreateSaturating(value), tags, state));
    }

    /// <summary>Reads the observable instruments.</summary>
    /// <returns>False when a callback failed: instruments that did not fail are read nevertheless.</returns>
    public static bool TryObserve(this MeterListener listener)
    {
        try
        {
            listener.RecordObservableInstruments();
            return true;
        }
        catch (AggregateException)
        {
            // Callbacks are foreign code.
            return false;
        }
    }

    public static InstrumentKind KindOf(Instrument instrument)
    {
        var type = instrument.GetType() is { IsGenericType: true } known ? known.GetGenericTypeDefinition() : null;
        return type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? InstrumentKind.Counter
            : type == typeof(UpDownCounter<>) || type == typeof(ObservableUpDownCounter<>)
                ? InstrumentKind.UpDownCounter
            : type == typeof(Histogram<>) ? InstrumentKind.Histogram : InstrumentKind.Gauge;
    }

    /// <summary>The name of a series: that of the instrument, split at dots, and its tags.</summary>
    public static MetricName NameOf(Instrument instrument, ReadOnlySpan<Tag> tags) =>
        new(instrument.Name.Split('.'), TextsOf(tags));

    /// <summary>Tags as text, without those that are null.</summary>
    public static List<KeyValuePair<string, string>> TextsOf(ReadOnlySpan<Tag> tags)
    {
        var texts = new List<KeyValuePair<string, string>>(tags.Length);
        foreach (var (key, value) in tags)
        {
            if (value is not null)
            {
                var text = value is bool flag ? (flag ? "true" : "false") : null;
                texts.Add(new(key, text ?? Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
            }
        }
        return texts;
    }

    private static bool Covers(string name, string meter) =>
        meter.StartsWith(name, StringComparison.Ordinal) && (meter.Length == name.Length || meter[name.Length] == '.');

    /// <summary>Looks up tags without allocating an array. Another order is another key.</summary>
    public sealed class TagComparer : IEqualityComparer<Tag[]>, IAlternateEqualityComparer<ReadOnlySpan<Tag>, Tag[]>
    {
        public static readonly TagComparer Instance = new();

        public bool Equals(Tag[]? x, Tag[]? y) => Equals(x.AsSpan(), y ?? []);

        public int GetHashCode(Tag[] obj) => GetHashCode(obj.AsSpan());

        public Tag[] Create(ReadOnlySpan<Tag> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<Tag> alternate, Tag[] other)
        {
            for (var i = 0; i < alternate.Length && i < other.Length; i++)
            {
                if (alternate[i].Key != other[i].Key || !Equals(alternate[i].Value, other[i].Value))
                {
                    return false;
                }
            }
            return alternate.Length == other.Length;
        }

        public int GetHashCode(ReadOnlySpan<Tag> alternate)
        {
            var hash = new HashCode();
            foreach (var (key, value) in alternate)
            {
                hash.Add(key);
                hash.Add(value);
            }
            return hash.ToHashCode();
        }
    }
}
