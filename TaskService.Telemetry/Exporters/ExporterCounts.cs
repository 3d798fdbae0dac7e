namespace TaskService.Telemetry.Exporters;

/// <summary>
/// A snapshot of the counts of an exporter's records. At any time produced = sent + queued + dropped.
/// </summary>
/// <param name="Produced">Posted so far.</param>
/// <param name="Sent">Sent by the exporter.</param>
/// <param name="Queued">In the queue or in a call of the exporter.</param>
/// <param name="Dropped">By each <see cref="DropReason"/>, also where it is 0.</param>
public sealed record ExporterCounts(
    long Produced, long Sent, long Queued, IReadOnlyDictionary<string, long> Dropped);

/// <summary>Reasons of drops, in metrics and counts.</summary>
public static class DropReason
{
    /// <summary>The queue was full.</summary>
    public const string QueueFull = "queue-full";

    /// <summary>All attempts to send the batch failed.</summary>
    public const string Failed = "failed";

    /// <summary>The receiver refused it: <see cref="ExporterRefusedException"/>.</summary>
    public const string Refused = "refused";

    /// <summary>The queue was closed, or the timeout of shutdown was over before it was sent.</summary>
    public const string Closed = "closed";
}
