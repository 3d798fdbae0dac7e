namespace TaskService.Telemetry.Exporters;

/// <param name="Name">Of the exporter, from the configuration.</param>
/// <param name="Input">The operations that it gets.</param>
/// <param name="Open">Creates the exporter.</param>
/// <param name="Queue">Limits and timeouts of its queue.</param>
public sealed record ExporterSettings(
    string Name, ExporterInput Input, Func<IExporter> Open, ExporterQueueSettings Queue);

/// <summary>The operations that an exporter gets.</summary>
public enum ExporterInput
{
    /// <summary>All operations, with name and duration only, for metrics.</summary>
    Operations,

    /// <summary>Event records: operations selected by the sampling rules.</summary>
    Events,

    /// <summary>Operations of sampled traces.</summary>
    Spans,
}
