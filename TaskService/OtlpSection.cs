using OpenTelemetry.Exporter;
using TaskService.Configuration;
using TaskService.Telemetry.Outlets.Otlp;

namespace TaskService;

/// <summary>Reads the settings of an outlet of type <c>otlp</c>.</summary>
internal static class OtlpSection
{
    private static readonly (string, OtlpExportProtocol)[] Protocols =
        [("http/protobuf", OtlpExportProtocol.HttpProtobuf), ("grpc", OtlpExportProtocol.Grpc)];

    private static readonly (string, bool)[] Temporalities = [("cumulative", false), ("delta", true)];

    private static readonly string[] Meters =
        ["TaskService", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

    public static OutletPlan Read(ConfigSection outlet, OutletContext context)
    {
        var all = new Receiver(
            Endpoint(outlet),
            outlet.Choice("protocol", OtlpExportProtocol.HttpProtobuf, Protocols),
            outlet.Text("headers", "", Hidden));
        var settings = new OtlpSettings(
            context.ServiceName,
            ReadTarget(outlet.Section("traces"), "v1/traces", all, context),
            ReadTarget(outlet.Section("metrics"), "v1/metrics", all, context),
            outlet.Texts("meters", Meters),
            TimeSpan.FromMilliseconds(outlet.Integer("meters-interval-ms", 60_000, 1, 600_000)))
        {
            IsDelta = outlet.Choice("temporality", false, Temporalities),
        };
        // Batches are of spans.
        return new OutletPlan(() => new OtlpOutlet(settings), settings.Traces.AttemptTimeMax);
    }

    // The endpoint of a signal is used as it is; that of all of them gets the path of the signal.
    private static OtlpTarget ReadTarget(ConfigSection signal, string path, Receiver all, OutletContext context)
    {
        var protocol = signal.Choice("protocol", all.Protocol, Protocols);
        var isGrpc = protocol == OtlpExportProtocol.Grpc;
        var endpoint = Endpoint(signal);
        if (endpoint.Length == 0)
        {
            var root = all.Endpoint.Length > 0 ? all.Endpoint : $"http://localhost:{(isGrpc ? 4317 : 4318)}";
            endpoint = isGrpc ? root : $"{root.TrimEnd('/')}/{path}";
        }
        var headers = signal.Text("headers", "", Hidden);
        return new OtlpTarget(
            new Uri(endpoint),
            protocol,
            headers.Length > 0 ? headers : all.Headers,
            TelemetrySection.AttemptTimeMax(signal, context.AttemptTimeMax));
    }

    // A key to the receiver is in them.
    private static string Hidden(string headers) => "***";

    private static string Endpoint(ConfigSection section)
    {
        const string key = "endpoint";
        var endpoint = section.Text(key, "");
        if (endpoint.Length == 0
            || (Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"))
        {
            return endpoint;
        }
        section.Problem(key, $"must be a URL such as http://localhost:4318, not \"{endpoint}\"");
        return "";
    }

    private sealed record Receiver(string Endpoint, OtlpExportProtocol Protocol, string Headers);
}
