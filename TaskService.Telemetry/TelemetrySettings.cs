using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry;

/// <summary>Which operations are recorded, and where they are exported to.</summary>
public sealed record TelemetrySettings : OperationSettings
{
    public IReadOnlyList<ExporterSettings> Exporters { get; init; } = [];
}
