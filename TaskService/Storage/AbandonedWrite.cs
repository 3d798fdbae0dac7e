using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>A write that has begun and is completed in the background, since its request timed out.</summary>
internal static class AbandonedWrite
{
    /// <param name="what">The slow resource, such as the disk.</param>
    /// <param name="cancelled">The timeout or cancellation that ended the wait.</param>
    public static StorageException Error(string what, OperationCanceledException cancelled) => new(
        ErrorKind.StorageUnavailable,
        $"{what} takes too long; the abandoned write goes on in the background",
        cancelled);

    /// <summary>Logs that the write failed in the end: no request is left to report it.</summary>
    public static void Report(ILogger logger, Exception error) =>
        logger.LogError(error, "A change failed that nobody waited for any more");
}
