namespace TaskService.Telemetry.Exporters;

/// <param name="Name">Of the exporter, as the configuration calls it.</param>
/// <param name="Input">What it gets.</param>
/// <param name="Open">Makes it.</param>
/// <param name="Queue">What waits for it.</param>
public sealed record ExporterSettings(
    string Name, ExporterInput Input, Func<IExporter> Open, ExporterQueueSettings Queue);

/// <summary>What an exporter gets.</summary>
public enum ExporterInput
{
    /// <summary>Every operation, to count and time them: what they are called, and how long they took.</summary>
    Operations,

    /// <summary>Operations that the rules for event records let through.</summary>
    Events,

    /// <summary>Operations of traces that are recorded.</summary>
    Spans,
}
