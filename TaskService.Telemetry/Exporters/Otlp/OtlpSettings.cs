using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>Settings of an <see cref="OtlpExporter"/>.</summary>
/// <param name="ServiceName">The attribute <c>service.name</c> of the resource.</param>
/// <param name="Traces">The receiver of spans.</param>
/// <param name="Metrics">The receiver of metrics.</param>
/// <param name="Meters">Names of meters; each includes all names below it, by whole words between dots.</param>
/// <param name="MetersInterval">Export interval of metrics.</param>
public sealed record OtlpSettings(
    string ServiceName,
    OtlpTarget Traces,
    OtlpTarget Metrics,
    IReadOnlyList<string> Meters,
    TimeSpan MetersInterval)
{
    /// <summary>Whether metrics are cumulative sums since the start, or deltas since the last export.</summary>
    public MetricReaderTemporalityPreference Temporality { get; init; } = MetricReaderTemporalityPreference.Cumulative;
}

/// <summary>A receiver of one signal.</summary>
/// <param name="Endpoint">With the path, except for gRPC.</param>
/// <param name="Protocol">The transport protocol.</param>
/// <param name="Headers">Of each request; each is one that <see cref="HttpRequestMessage"/> takes.</param>
/// <param name="Compression">Of the request body.</param>
/// <param name="AttemptTimeMax">Timeout of a request.</param>
public sealed record OtlpTarget(
    Uri Endpoint,
    OtlpExportProtocol Protocol,
    IReadOnlyList<(string Name, string Value)> Headers,
    OtlpExportCompression Compression,
    TimeSpan AttemptTimeMax)
{
    /// <summary>The endpoint in messages: without parts that may be secret.</summary>
    internal string Name =>
        Endpoint.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
}
