namespace TaskService.Domain;

/// <summary>
/// Everything that can go wrong with a well-formed request, and nothing else. One table maps it to HTTP.
/// </summary>
internal enum ErrorKind
{
    /// <summary>No task has this id.</summary>
    TaskNotFound,

    /// <summary>The task is no longer in the version that the caller expected.</summary>
    VersionMismatch,

    /// <summary>The first request with this idempotency key is not finished.</summary>
    KeyInUse,

    /// <summary>This idempotency key was used for another task.</summary>
    KeyReused,

    /// <summary>The storage cannot be reached, or refused; the outcome of a change is unknown.</summary>
    StorageUnavailable,

    /// <summary>The storage has no room; the change was not made.</summary>
    StorageFull,
}
