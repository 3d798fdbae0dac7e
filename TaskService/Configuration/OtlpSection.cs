using System.Text;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using TaskService.Telemetry.Exporters.Otlp;

namespace TaskService.Configuration;

/// <summary>Reads the settings of an exporter of type <c>otlp</c>.</summary>
internal static class OtlpSection
{
    private const string Mask = "***";

    private static readonly (string, OtlpExportProtocol)[] Protocols =
        [("http/protobuf", OtlpExportProtocol.HttpProtobuf), ("grpc", OtlpExportProtocol.Grpc)];

    private static readonly (string, OtlpExportCompression)[] Compressions =
        [("none", OtlpExportCompression.None), ("gzip", OtlpExportCompression.GZip)];

    private static readonly (string, MetricReaderTemporalityPreference)[] Temporalities =
    [
        ("cumulative", MetricReaderTemporalityPreference.Cumulative),
        ("delta", MetricReaderTemporalityPreference.Delta),
        ("lowmemory", MetricReaderTemporalityPreference.LowMemory),
    ];

    public static ExporterPlan Read(ConfigSection exporter, ExporterContext context)
    {
        var all = new Receiver(
            Endpoint(exporter),
            exporter.Choice("protocol", OtlpExportProtocol.HttpProtobuf, Protocols),
            Headers(exporter),
            exporter.Choice("compression", OtlpExportCompression.None, Compressions));
        var settings = new OtlpSettings(
            context.ServiceName,
            ReadTarget(exporter.Section("traces"), "v1/traces", all, context),
            ReadTarget(exporter.Section("metrics"), "v1/metrics", all, context),
            exporter.Texts("meters", TelemetrySection.Meters),
            TimeSpan.FromMilliseconds(exporter.Integer("meters-interval-ms", 60_000, 1, 600_000)))
        {
            Temporality = exporter.Choice("temporality", MetricReaderTemporalityPreference.Cumulative, Temporalities),
        };
        // Batches are of spans.
        return new ExporterPlan(() => new OtlpExporter(settings), settings.Traces.AttemptTimeMax);
    }

    // The endpoint of a signal is used as it is; that of all of them gets the path of the signal.
    private static OtlpTarget ReadTarget(ConfigSection signal, string path, Receiver all, ExporterContext context)
    {
        var protocol = signal.Choice("protocol", all.Protocol, Protocols);
        var isGrpc = protocol == OtlpExportProtocol.Grpc;
        var endpoint = Endpoint(signal);
        if (endpoint.Length == 0)
        {
            var root = all.Endpoint.Length > 0 ? all.Endpoint : $"http://localhost:{(isGrpc ? 4317 : 4318)}";
            endpoint = isGrpc ? root : $"{root.TrimEnd('/')}/{path}";
        }
        var headers = Headers(signal);
        return new OtlpTarget(
            new Uri(endpoint),
            protocol,
            headers.Count > 0 ? headers : all.Headers,
            signal.Choice("compression", all.Compression, Compressions),
            TelemetrySection.AttemptTimeMax(signal, context.AttemptTimeMax));
    }

    private static List<(string Name, string Value)> Headers(ConfigSection section)
    {
        const string key = "headers";
        if (!PercentEncodedPairs.TryParse(section.Text(key, "", Hidden), out var headers, out var problem))
        {
            section.Problem(key, problem);
        }
        else if (!headers.TrueForAll(header => IsHeader(header.Name, header.Value)))
        {
            section.Problem(key, "has a name or a value that a request cannot have as a header");
        }
        return headers;
    }

    // As the exporter adds it, and the client sends it.
    private static bool IsHeader(string name, string value)
    {
        using var request = new HttpRequestMessage();
        try
        {
            request.Headers.Add(name, value);
            return Ascii.IsValid(value);
        }
        catch (Exception error) when (error is FormatException or InvalidOperationException or ArgumentException)
        {
            return false;
        }
    }

    // A key to the receiver is in them.
    private static string Hidden(string headers) => Mask;

    // User and password are one, too, and what follows a question mark may be.
    private static string Shown(string endpoint) =>
        !Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) ? Mask
        : uri.UserInfo.Length + uri.Query.Length + uri.Fragment.Length == 0 ? endpoint
        : $"{uri.Scheme}://{(uri.UserInfo.Length > 0 ? $"{Mask}@" : "")}{uri.Authority}{uri.AbsolutePath}"
            + (uri.Query.Length > 0 ? $"?{Mask}" : "");

    private static string Endpoint(ConfigSection section)
    {
        const string key = "endpoint";
        var endpoint = section.Text(key, "", Shown);
        if (endpoint.Length == 0
            || (Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
        {
            return endpoint;
        }
        section.Problem(key, "must be a URL such as http://localhost:4318");
        return "";
    }

    private sealed record Receiver(
        string Endpoint,
        OtlpExportProtocol Protocol,
        List<(string Name, string Value)> Headers,
        OtlpExportCompression Compression);
}
