using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace TaskService.Telemetry.Exporters.Prometheus;

/// <summary>
/// Names and labels of Prometheus, by the rules of OpenTelemetry
/// (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/).
/// </summary>
internal static class PrometheusName
{
    /// <summary>Behind the name of a counter.</summary>
    public const string Total = "_total";

    private const string Scope = "otel_scope_name";

    // A sample of these belongs to a histogram.
    private static readonly string[] OfHistograms = ["_count", "_sum", "_bucket"];

    private static readonly Dictionary<string, string> Units = new(StringComparer.Ordinal)
    {
        ["d"] = "days",
        ["h"] = "hours",
        ["min"] = "minutes",
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["us"] = "microseconds",
        ["ns"] = "nanoseconds",
        ["By"] = "bytes",
        ["KiBy"] = "kibibytes",
        ["MiBy"] = "mebibytes",
        ["GiBy"] = "gibibytes",
        ["TiBy"] = "tibibytes",
        ["KBy"] = "kilobytes",
        ["MBy"] = "megabytes",
        ["GBy"] = "gigabytes",
        ["TBy"] = "terabytes",
        ["m"] = "meters",
        ["V"] = "volts",
        ["A"] = "amperes",
        ["J"] = "joules",
        ["W"] = "watts",
        ["g"] = "grams",
        ["Cel"] = "celsius",
        ["Hz"] = "hertz",
        ["%"] = "percent",
    };

    private static readonly Dictionary<string, string> Periods = new(StringComparer.Ordinal)
    {
        ["s"] = "second",
        ["m"] = "minute",
        ["min"] = "minute",
        ["h"] = "hour",
        ["d"] = "day",
        ["w"] = "week",
        ["mo"] = "month",
        ["y"] = "year",
    };

    /// <summary>The name of a family, with its unit and without <see cref="Total"/>.</summary>
    public static (string Name, string? Unit) Of(Instrument instrument, InstrumentKind kind)
    {
        var name = Clean(instrument.Name);
        if (name.EndsWith(Total, StringComparison.Ordinal))
        {
            name = name[..^Total.Length];
        }
        var unit = UnitOf(instrument.Unit ?? "", kind);
        if (unit is not null && !name.EndsWith($"_{unit}", StringComparison.Ordinal))
        {
            name += $"_{unit}";
        }
        if (kind is InstrumentKind.Gauge or InstrumentKind.UpDownCounter
            && OfHistograms.Any(end => name.EndsWith(end, StringComparison.Ordinal)))
        {
            name += "_current";
        }
        return (name, unit is not null && name.EndsWith(unit, StringComparison.Ordinal) ? unit : null);
    }

    /// <summary>
    /// The labels as they are written, without braces: the scope first, then the tags in the order of their names, so
    /// that the same tags in any order are the same labels. Values of names that become the same are joined by
    /// semicolons.
    /// </summary>
    public static string LabelsOf(Instrument instrument, ReadOnlySpan<Tag> tags, InstrumentKind kind)
    {
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in Instruments.TextsOf(tags))
        {
            var name = Clean(key) switch
            {
                "le" when kind == InstrumentKind.Histogram => "exported_le",
                Scope => "exported_" + Scope,
                var other => other,
            };
            labels[name] = labels.TryGetValue(name, out var before) ? $"{before};{value}" : value;
        }
        var text = new StringBuilder();
        Append(text, Scope, instrument.Meter.Name);
        foreach (var (name, value) in labels)
        {
            Append(text.Append(','), name, value);
        }
        return text.ToString();
    }

    /// <summary>Adds <c>name="value"</c>.</summary>
    public static void Append(StringBuilder text, string name, string value) => text.Append(name).Append("=\"")
        .Append(Escape(value).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');

    /// <summary>Backslashes and line feeds; a label has quotes escaped as well.</summary>
    public static string Escape(string text) => text
        .Replace("\\", @"\\", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal);

    // Letters, digits and single underscores, no digit first.
    private static string Clean(string name)
    {
        var clean = new StringBuilder(name.Length + 1);
        foreach (var c in name)
        {
            var next = char.IsAsciiLetterOrDigit(c) ? c : '_';
            if (clean.Length == 0 && char.IsAsciiDigit(next))
            {
                clean.Append('_');
            }
            if (next != '_' || clean.Length == 0 || clean[^1] != '_')
            {
                clean.Append(next);
            }
        }
        return clean.Length == 0 ? "_" : clean.ToString();
    }

    // An annotation in braces is no unit.
    private static string? UnitOf(string unit, InstrumentKind kind)
    {
        var brace = unit.IndexOf('{', StringComparison.Ordinal);
        unit = brace < 0 ? unit : unit[..brace] + unit[(unit.IndexOf('}', brace) + 1)..];
        if (unit.Length == 0 || unit == "1")
        {
            return unit == "1" && kind == InstrumentKind.Gauge ? "ratio" : null;
        }
        var slash = unit.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            return Clean(Units.GetValueOrDefault(unit, unit));
        }
        var (of, per) = (unit[..slash], unit[(slash + 1)..]);
        return Clean(string.Create(
            CultureInfo.InvariantCulture,
            $"{Units.GetValueOrDefault(of, of)}_per_{Periods.GetValueOrDefault(per, per)}")).TrimStart('_');
    }
}
