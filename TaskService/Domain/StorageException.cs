namespace TaskService.Domain;

/// <summary>The storage failed. The message and the inner exception are for the log, never for a client.</summary>
/// <param name="kind"><see cref="ErrorKind.StorageUnavailable"/> or <see cref="ErrorKind.StorageFull"/>.</param>
internal sealed class StorageException(ErrorKind kind, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public ErrorKind Kind { get; } = kind;
}
