using TaskService.Telemetry.Operations;
namespace TaskService.Telemetry.Exporters;

/// <summary>How a <see cref="Metric"/> is aggregated with others of its name.</summary>
public enum MetricKind
{
    /// <summary>A change since the last one, which may be negative; they are summed.</summary>
    Counter,

    /// <summary>A current value; the last one counts.</summary>
    Gauge,

    /// <summary>One of many values whose distribution matters; times are in milliseconds.</summary>
    Timer,
}

/// <summary>A value to send.</summary>
public readonly record struct Metric(MetricName Name, MetricKind Kind, double Value);
