using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>A change that has begun, and that nobody waits for any more, since its request has no time left.</summary>
internal static class AbandonedWrite
{
    /// <param name="what">Takes so long, such as the disk.</param>
    /// <param name="cancelled">Ended the wait.</param>
    public static StorageException Error(string what, OperationCanceledException cancelled) => new(
        ErrorKind.StorageUnavailable,
        $"{what} takes too long; what has begun goes on, but nobody waits for it any more",
        cancelled);

    /// <summary>Says that it failed in the end, which nobody else learns.</summary>
    public static void Report(ILogger logger, Exception error) =>
        logger.LogError(error, "A change failed that nobody waited for any more");
}
