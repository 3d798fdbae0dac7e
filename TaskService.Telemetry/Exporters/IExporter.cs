using TaskService.Telemetry.Operations;
namespace TaskService.Telemetry.Exporters;

/// <summary>
/// Where finished operations go. It only sends, and may throw: waiting, batches, repetition, limits and counting are
/// done around it, once, by <see cref="ExporterQueue"/>. One that is <see cref="IDisposable"/> is disposed.
/// </summary>
public interface IExporter
{
    /// <summary>Sends a batch, in the order in which the operations ended. One thread at a time.</summary>
    /// <param name="batch">At least one record.</param>
    /// <param name="cancel">Its time is over.</param>
    /// <exception cref="ExporterRefusedException">The receiver does not take them, and would not later.</exception>
    /// <exception cref="ExporterBusyException">The receiver asks for a pause; then the batch is sent again.</exception>
    /// <exception cref="Exception">Anything else: the batch is sent again after a while.</exception>
    ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel);
}

/// <summary>An exporter that sends as well what meters measure, from time to time.</summary>
public interface IMeterExporter
{
    /// <summary>How often.</summary>
    TimeSpan MetersInterval { get; }

    /// <summary>How long sending may take; then it has failed.</summary>
    TimeSpan MetersTimeMax => TimeSpan.FromSeconds(1);

    /// <summary>Sends what was measured since the last time.</summary>
    /// <exception cref="Exception">It could not, which is counted, and the next time comes.</exception>
    ValueTask SendMetersAsync(CancellationToken cancel);
}

/// <summary>The receiver refuses a batch: to send it again is useless.</summary>
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

/// <summary>The receiver does not take a batch now, and says how long to wait.</summary>
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
    /// Nothing is sent before it is over. <see cref="ExporterQueueSettings.RetryTimeMax"/> is the most that is heeded.
    /// </summary>
    public TimeSpan RetryDelayMin { get; init; }
}
