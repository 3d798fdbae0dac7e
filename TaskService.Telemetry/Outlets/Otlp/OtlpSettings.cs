using OpenTelemetry.Exporter;

namespace TaskService.Telemetry.Outlets.Otlp;

/// <summary>What an <see cref="OtlpOutlet"/> sends, and where.</summary>
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
    /// <summary>Metrics as changes since the last time that they were sent, not as sums since the start.</summary>
    public bool IsDelta { get; init; }
}

/// <summary>A receiver of one signal.</summary>
/// <param name="Endpoint">With the path, which gRPC has none of.</param>
/// <param name="Protocol">How it wants it.</param>
/// <param name="Headers"><c>name=value,name=value</c>; empty for none.</param>
/// <param name="AttemptTimeMax">How long it may take.</param>
public sealed record OtlpTarget(Uri Endpoint, OtlpExportProtocol Protocol, string Headers, TimeSpan AttemptTimeMax);
