using TaskService.Telemetry.Operations;
namespace TaskService.Telemetry.Exporters;

/// <summary>
/// Exports finished operations. It only sends, and may throw: queue, batches, retry, timeouts and counting are written
/// once, in <see cref="ExporterQueue"/>. One that is <see cref="IDisposable"/> is disposed of.
/// </summary>
public interface IExporter
{
    /// <summary>Sends a batch, in the order in which the operations ended. One thread at a time.</summary>
    /// <param name="batch">At least one record.</param>
    /// <param name="cancel">Cancelled at the timeout.</param>
    /// <exception cref="ExporterRefusedException">The receiver refused the batch; no retry.</exception>
    /// <exception cref="ExporterBusyException">The receiver requests a delay; then the batch is retried.</exception>
    /// <exception cref="Exception">Any other failure: the batch is retried with backoff.</exception>
    ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel);
}

/// <summary>An exporter that also sends the measurements of meters, periodically.</summary>
public interface IMeterExporter
{
    /// <summary>The period.</summary>
    TimeSpan MetersInterval { get; }

    /// <summary>Timeout of sending.</summary>
    TimeSpan MetersTimeMax => TimeSpan.FromSeconds(1);

    /// <summary>Sends the measurements since the last time.</summary>
    /// <exception cref="Exception">Any failure: it is counted, and the next attempt is the next period.</exception>
    ValueTask SendMetersAsync(CancellationToken cancel);
}

/// <summary>The receiver refused a batch for good: a retry is useless.</summary>
public sealed class ExporterRefusedException : Exception
{
    public ExporterRefusedException(string message)
        : base(message)
    {
    }

    public ExporterRefusedException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public ExporterRefusedException()
    {
    }
}

/// <summary>The receiver throttles: it refused a batch for now, and requests a delay before the retry.</summary>
public sealed class ExporterBusyException : Exception
{
    public ExporterBusyException(string message)
        : base(message)
    {
    }

    public ExporterBusyException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public ExporterBusyException()
    {
    }

    /// <summary>
    /// The minimum delay before the next call, up to <see cref="ExporterQueueSettings.RetryTimeMax"/>.
    /// </summary>
    public TimeSpan RetryDelayMin { get; init; }
}
