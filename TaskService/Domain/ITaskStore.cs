namespace TaskService.Domain;

/// <summary>
/// Where tasks are kept. An engine only stores; rules are the domain's. This is the contract of every engine:
/// <list type="bullet">
/// <item>All members may be called at the same time from any thread, after <see cref="OpenAsync"/> and before
/// disposal.</item>
/// <item>A change is durable before its method returns (but in the memory engine), seen by every later call, and whole:
/// no reader ever sees half of one.</item>
/// <item>Ids are ordinal, case-sensitive text of the form <see cref="TaskIds.IsValid"/>. An engine may take one that
/// differs from another in case only for taken.</item>
/// <item>An engine that is unreachable, out of time or read-only throws <see cref="StorageException"/> with
/// <see cref="ErrorKind.StorageUnavailable"/>; a change may then have been made or not. One without room throws it with
/// <see cref="ErrorKind.StorageFull"/>; nothing was changed.</item>
/// <item><see cref="OperationCanceledException"/> means that nothing was changed. A change that has begun is finished;
/// when it is cancelled, an engine that does not wait for that throws <see cref="StorageException"/> with
/// <see cref="ErrorKind.StorageUnavailable"/> and the cancellation inside.</item>
/// </list>
/// </summary>
internal interface ITaskStore : IAsyncDisposable
{
    /// <summary>
    /// Whether read consistency across servers depends on <see cref="StoreRequest.Current"/>, which then must be set
    /// before the store is called for a request.
    /// </summary>
    bool NeedsReadConsistency => false;

    /// <summary>
    /// Creates the storage if it is missing, migrates its schema, and loads what the engine keeps in memory. Called
    /// once, first.
    /// </summary>
    /// <exception cref="StorageException">It cannot be opened; the message says in one line what, where and
    /// why.</exception>
    Task OpenAsync(CancellationToken cancel);

    /// <summary>Stores a new task and, as durably, the record of its idempotency key.</summary>
    /// <param name="task">The task.</param>
    /// <param name="idempotency">Replaces an expired record of the same key; null when the request has no key.</param>
    /// <param name="cancel">Until the change has begun.</param>
    /// <returns>False, and nothing is changed, when the id is taken, or another process took the key
    /// meanwhile.</returns>
    ValueTask<bool> CreateAsync(StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel);

    /// <summary>
    /// Waits for the end of a create with this key that has begun; one of another process may be waited for by
    /// <see cref="CreateAsync"/> instead.
    /// </summary>
    /// <returns>The record of this idempotency key, expired or not; null when there is none.</returns>
    ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel);

    /// <returns>The task, or null when no task has this id.</returns>
    ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel);

    /// <summary>
    /// Streams tasks in id order. A task that exists all the while comes exactly once, in a version that it had
    /// meanwhile; one that is created or deleted meanwhile may come or not.
    /// </summary>
    IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel);

    /// <summary>
    /// A number that differs after each change, before the method of the change returns: a list that was read between
    /// two equal revisions is current. Null when other processes can change the tasks, too.
    /// </summary>
    long? Revision { get; }

    /// <summary>
    /// The last migration of the schema that was applied, such as <c>001_tasks.sql</c>; null when the engine has none.
    /// </summary>
    string? SchemaVersion => null;

    /// <summary>The file or directory of this machine that holds the tasks; null when none does.</summary>
    string? Place => null;

    /// <summary>Streams all ids, the highest first; concurrent changes may be seen or not.</summary>
    IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel);

    /// <summary>Replaces the task with this id.</summary>
    /// <param name="expected">The version that it must have, or null for any. Of several that expect one version, one
    /// wins.</param>
    /// <returns>Null when done, else <see cref="ErrorKind.TaskNotFound"/> or <see
    /// cref="ErrorKind.VersionMismatch"/>.</returns>
    ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel);

    /// <summary>Deletes the task with this id.</summary>
    /// <inheritdoc cref="UpdateAsync" path="/param[@name='expected']"/>
    /// <returns>Null when done, else <see cref="ErrorKind.TaskNotFound"/> or <see
    /// cref="ErrorKind.VersionMismatch"/>.</returns>
    ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel);

    /// <summary>Readiness probe: returns when the engine accepts changes.</summary>
    /// <exception cref="StorageException">It does not; the message says why.</exception>
    ValueTask PingAsync(CancellationToken cancel);
}
