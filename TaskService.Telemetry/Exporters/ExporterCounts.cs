namespace TaskService.Telemetry.Exporters;

/// <summary>
/// What became of all records of an exporter, at one moment: those produced are those sent, queued and dropped.
/// </summary>
/// <param name="Produced">Posted so far.</param>
/// <param name="Sent">Taken by the exporter.</param>
/// <param name="Queued">They wait, or are in a call of the exporter.</param>
/// <param name="Dropped">By each <see cref="DropReason"/>, also where it is 0.</param>
public sealed record ExporterCounts(
    long Produced, long Sent, long Queued, IReadOnlyDictionary<string, long> Dropped);

/// <summary>Why a record was dropped, as metrics and books call it.</summary>
public static class DropReason
{
    /// <summary>It came when the queue was full.</summary>
    public const string QueueFull = "queue-full";

    /// <summary>All attempts to send it failed.</summary>
    public const string Failed = "failed";

    /// <summary>The receiver does not take it: <see cref="ExporterRefusedException"/>.</summary>
    public const string Refused = "refused";

    /// <summary>It came after the queue was closed, or was not sent in the time that closing may take.</summary>
    public const string Closed = "closed";
}
