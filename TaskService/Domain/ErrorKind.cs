namespace TaskService.Domain;

/// <summary>
/// Everything that can go wrong with a well-formed request, and nothing else. One table maps it to HTTP.
/// </summary>
internal enum ErrorKind
{
    /// <summary>Nothing has this id.</summary>
    NotFound,

    /// <summary>It is no longer in the version that the caller expected.</summary>
    VersionMismatch,

    /// <summary>What the new value belongs to does not exist.</summary>
    ParentNotFound,

    /// <summary>It cannot be deleted, since others belong to it.</summary>
    HasChildren,

    /// <summary>The id is in use: the service retries with another one, so that no client sees this.</summary>
    IdTaken,

    /// <summary>The first request with this idempotency key is not finished.</summary>
    KeyInUse,

    /// <summary>This idempotency key was used with another request body.</summary>
    KeyReused,

    /// <summary>The storage cannot be reached, or refused; the outcome of a change is unknown.</summary>
    StorageUnavailable,

    /// <summary>The storage has no room; the change was not made.</summary>
    StorageFull,
}
