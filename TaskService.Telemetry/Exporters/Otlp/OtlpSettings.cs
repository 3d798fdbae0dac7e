using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>What an <see cref="OtlpExporter"/> sends, and where.</summary>
/// <param name="ServiceName">Who sends: <c>service.name</c>.</param>
/// <param name="Traces">Where spans go.</param>
/// <param name="Metrics">Where metrics go.</param>
/// <param name="Meters">Names of meters; each stands for all below it, too, to the next dot.</param>
/// <param name="MetersInterval">How often what they measure is sent.</param>
public sealed record OtlpSettings(
    string ServiceName,
    OtlpTarget Traces,
    OtlpTarget Metrics,
    IReadOnlyList<string> Meters,
    TimeSpan MetersInterval)
{
    /// <summary>Whether metrics are sums since the start, or changes since the last time that they were sent.</summary>
    public MetricReaderTemporalityPreference Temporality { get; init; } = MetricReaderTemporalityPreference.Cumulative;
}

/// <summary>A receiver of one signal.</summary>
/// <param name="Endpoint">With the path, which gRPC has none of.</param>
/// <param name="Protocol">How it wants it.</param>
/// <param name="Headers">Of each request; each is one that <see cref="HttpRequestMessage"/> takes.</param>
/// <param name="Compression">Of what is sent.</param>
/// <param name="AttemptTimeMax">How long it may take.</param>
public sealed record OtlpTarget(
    Uri Endpoint,
    OtlpExportProtocol Protocol,
    IReadOnlyList<(string Name, string Value)> Headers,
    OtlpExportCompression Compression,
    TimeSpan AttemptTimeMax)
{
    /// <summary>The endpoint as messages name it: without what may be a secret.</summary>
    internal string Name =>
        Endpoint.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
}
