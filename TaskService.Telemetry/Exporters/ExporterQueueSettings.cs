namespace TaskService.Telemetry.Exporters;

/// <summary>The limits and timeouts of the queue of one exporter. All of them are above zero.</summary>
public sealed record ExporterQueueSettings
{
    /// <summary>Records in the queue or in a call of the exporter; beyond, the newest are dropped.</summary>
    public int RecordsMax { get; init; } = 8_192;

    /// <summary>
    /// Bytes of the records in the queue or in a call of the exporter; beyond, the newest are dropped. Estimated: 384 a
    /// record, 32 a field, 24 an item of a list, and two a character of keys and texts.
    /// </summary>
    public long BytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Batch size: records in one call of the exporter; not more than <see cref="RecordsMax"/>.</summary>
    public int BatchRecordsMax { get; init; } = 512;

    /// <summary>Linger: how long records are gathered for a batch. A full batch is sent at once.</summary>
    public TimeSpan BatchDelayMax { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Timeout of a call; then it is cancelled and counts as failed.</summary>
    public TimeSpan AttemptTimeMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The minimum backoff before a retry; whole milliseconds.</summary>
    public TimeSpan RetryTimeMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The maximum backoff before a retry; not less than <see cref="RetryTimeMin"/>. A delay that the receiver requests
    /// (Retry-After) comes before it, and has the same maximum.
    /// </summary>
    public TimeSpan RetryTimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Attempts to send a batch before it is dropped.</summary>
    public int AttemptsMax { get; init; } = 5;

    /// <summary>Timeout of shutdown; records that are not sent by then are dropped.</summary>
    public TimeSpan CloseTimeMax { get; init; } = TimeSpan.FromSeconds(2);
}
