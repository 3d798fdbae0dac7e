using System.Globalization;
using System.Text;

namespace TaskService.Telemetry.Exporters.Prometheus;

/// <summary>
/// Writes series in the text format 0.0.4 of Prometheus
/// (https://prometheus.io/docs/instrumenting/exposition_formats/), or in that of OpenMetrics 1.0
/// (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
/// </summary>
internal sealed class PrometheusText
{
    private readonly StringBuilder text = new();
    private readonly List<long> buckets = [];
    private readonly bool isOpenMetrics;

    private PrometheusText(bool isOpenMetrics) => this.isOpenMetrics = isOpenMetrics;

    public static byte[] Write(IEnumerable<PrometheusFamily> families, string serviceName, bool isOpenMetrics)
    {
        var writer = new PrometheusText(isOpenMetrics);
        writer.WriteTarget(serviceName);
        foreach (var family in families)
        {
            writer.WriteFamily(family);
        }
        if (isOpenMetrics)
        {
            writer.text.Append("# EOF\n");
        }
        return Encoding.UTF8.GetBytes(writer.text.ToString());
    }

    private void WriteTarget(string serviceName)
    {
        const string name = "target", type = "info";
        WriteHead(isOpenMetrics ? name : $"{name}_{type}", isOpenMetrics ? type : "gauge", "Target metadata", null);
        PrometheusName.Append(text.Append($"{name}_{type}{{"), "service_name", serviceName);
        text.Append("} 1\n");
    }

    private void WriteFamily(PrometheusFamily family)
    {
        var isHeadWritten = false;
        var sample = family.Kind == InstrumentKind.Counter ? family.Name + PrometheusName.Total : family.Name;
        foreach (var (labels, series) in family.Series)
        {
            buckets.Clear();
            if (series.Read(buckets) is not { } value)
            {
                continue;
            }
            if (!isHeadWritten)
            {
                isHeadWritten = true;
                WriteHead(isOpenMetrics ? family.Name : sample, TypeOf(family.Kind), family.Help, family.Unit);
            }
            if (family.Kind == InstrumentKind.Histogram)
            {
                WriteHistogram(family.Name, labels, series.Bounds, value);
            }
            else
            {
                WriteSample(sample, labels, Number(value));
            }
        }
    }

    private void WriteHead(string name, string type, string help, string? unit)
    {
        help = PrometheusName.Escape(help);
        help = isOpenMetrics ? help.Replace("\"", "\\\"", StringComparison.Ordinal) : help;
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
        if (isOpenMetrics && unit is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"# UNIT {name} {unit}\n");
        }
    }

    private void WriteHistogram(string name, string labels, double[] bounds, double sum)
    {
        var count = 0L;
        for (var i = 0; i < buckets.Count; i++)
        {
            count += buckets[i];
            var bound = i == bounds.Length ? "+Inf" : Bound(bounds[i]);
            WriteSample($"{name}_bucket", $"{labels},le=\"{bound}\"", $"{count}");
        }
        WriteSample($"{name}_sum", labels, Number(sum));
        WriteSample($"{name}_count", labels, $"{count}");
    }

    private void WriteSample(string name, string labels, string value) =>
        text.Append(name).Append('{').Append(labels).Append("} ").Append(value).Append('\n');

    // OpenMetrics wants a canonical number here, which shows that it is no integer.
    private string Bound(double bound) =>
        Number(bound) is var number && isOpenMetrics && number.All(c => char.IsAsciiDigit(c) || c == '-')
            ? $"{number}.0" : number;

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string TypeOf(InstrumentKind kind) => kind switch
    {
        InstrumentKind.Counter => "counter",
        InstrumentKind.Histogram => "histogram",
        _ => "gauge",
    };
}
