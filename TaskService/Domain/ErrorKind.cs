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

    /// <summary>The storage cannot be reached, or refused; whether a change was made is not known.</summary>
    StorageUnavailable,

    /// <summary>The storage has no room; the change was not made.</summary>
    StorageFull,
}
