namespace TaskService.Domain;

/// <summary>A store of values of any type.</summary>
internal interface IStore
{
    /// <summary>
    /// Whether read consistency across servers depends on <see cref="StoreRequest.Current"/>, which then must be set
    /// before the store is called for a request.
    /// </summary>
    bool NeedsReadConsistency => false;

    /// <summary>
    /// A number that differs after each change, before the method of the change returns: a list that was read between
    /// two equal revisions is current. Null when other processes can change the values, too.
    /// </summary>
    long? Revision { get; }

    /// <summary>Streams all ids, the highest first; concurrent changes may be seen or not.</summary>
    IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel);
}

/// <summary>
/// Where values of one type are kept. An engine only stores; rules are the domain's. This is the contract of every
/// engine:
/// <list type="bullet">
/// <item>All members may be called at the same time from any thread, after <see cref="IStorage.OpenAsync"/> and before
/// disposal.</item>
/// <item>A change is durable before its method returns (but in the memory engine), seen by every later call, and whole:
/// no reader ever sees half of one.</item>
/// <item>Ids are ordinal, case-sensitive text of the form <see cref="IdGenerator.IsValid"/>. An engine may take one
/// that differs from another in case only for taken.</item>
/// <item>A value may belong to values of other types, by references that never change: there is never a value without
/// its parent, whatever is created and deleted at the same time.</item>
/// <item>An engine that is unreachable, out of time or read-only throws <see cref="StorageException"/> with
/// <see cref="ErrorKind.StorageUnavailable"/>; a change may then have been made or not. One without room throws it with
/// <see cref="ErrorKind.StorageFull"/>; nothing was changed.</item>
/// <item><see cref="OperationCanceledException"/> means that nothing was changed. A change that has begun is finished;
/// when it is cancelled, an engine that does not wait for that throws <see cref="StorageException"/> with
/// <see cref="ErrorKind.StorageUnavailable"/> and the cancellation inside.</item>
/// </list>
/// </summary>
internal interface IStore<T> : IStore
    where T : class, IContent
{
    /// <summary>Stores a new value and, as durably, the record of its idempotency key.</summary>
    /// <param name="item">The value.</param>
    /// <param name="idempotency">Replaces an expired record of the same key; null when the request has no key.</param>
    /// <param name="cancel">Until the change has begun.</param>
    /// <returns>Null when done. Otherwise nothing is changed: <see cref="ErrorKind.IdTaken"/>, also when another
    /// process took the key meanwhile, or <see cref="ErrorKind.ParentNotFound"/>.</returns>
    ValueTask<ErrorKind?> CreateAsync(Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel);

    /// <summary>
    /// Waits for the end of a create with this key that has begun; one of another process may be waited for by
    /// <see cref="CreateAsync"/> instead.
    /// </summary>
    /// <returns>The record of this idempotency key, expired or not; null when there is none.</returns>
    ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel);

    /// <returns>The value, or null when there is none with this id.</returns>
    ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel);

    /// <summary>
    /// Streams values in id order. One that exists all the while comes exactly once, in a version that it had
    /// meanwhile; one that is created or deleted meanwhile may come or not.
    /// </summary>
    IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel);

    /// <summary>Replaces the value with this id; one that belongs to another parent is not found.</summary>
    /// <param name="expected">The version that it must have, or null for any. Of several that expect one version, one
    /// wins.</param>
    /// <returns>Null when done, else <see cref="ErrorKind.NotFound"/> or <see
    /// cref="ErrorKind.VersionMismatch"/>.</returns>
    ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel);

    /// <summary>Deletes the value with this id, unless others belong to it.</summary>
    /// <inheritdoc cref="UpdateAsync" path="/param[@name='expected']"/>
    /// <returns>Null when done, else <see cref="ErrorKind.NotFound"/>, <see cref="ErrorKind.VersionMismatch"/> or <see
    /// cref="ErrorKind.HasChildren"/>.</returns>
    ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel);
}
