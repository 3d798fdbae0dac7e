namespace TaskService.Telemetry.Exporters;

/// <summary>The limits around one exporter. All of them are above zero.</summary>
public sealed record ExporterQueueSettings
{
    /// <summary>Records that wait or are in a call of the exporter; beyond, the newest are dropped.</summary>
    public int RecordsMax { get; init; } = 8_192;

    /// <summary>
    /// Bytes of the records that wait or are in a call of the exporter; beyond, the newest are dropped. Estimated: 384
    /// a record, 32 a field, 24 an item of a list, and two a character of keys and texts.
    /// </summary>
    public long BytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Records in one call of the exporter; not more than <see cref="RecordsMax"/>.</summary>
    public int BatchRecordsMax { get; init; } = 512;

    /// <summary>How long records are gathered that go in one call. A full batch goes at once.</summary>
    public TimeSpan BatchDelayMax { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a call may take before it is cancelled and has failed.</summary>
    public TimeSpan AttemptTimeMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The shortest pause after a call that failed; whole milliseconds.</summary>
    public TimeSpan RetryTimeMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The longest pause after a call that failed; not less than <see cref="RetryTimeMin"/>. One that the receiver asks
    /// for comes before it, and is not longer, either.
    /// </summary>
    public TimeSpan RetryTimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a batch may fail before it is dropped.</summary>
    public int AttemptsMax { get; init; } = 5;

    /// <summary>How long closing may take altogether; what is not sent by then is dropped.</summary>
    public TimeSpan CloseTimeMax { get; init; } = TimeSpan.FromSeconds(2);
}
