using System.Collections.Concurrent;

namespace TaskService.Domain;

/// <summary>The use cases that resources of every type have, independent of transport and storage engine.</summary>
/// <param name="store">Keeps the values.</param>
/// <param name="ids">Of new values.</param>
/// <param name="time">Of idempotency keys.</param>
/// <param name="keyScope">
/// Separates the idempotency keys of this type from those of others, which may share a table: it precedes the key, with
/// a space between them, which is in no key. Empty for one type at most.
/// </param>
internal abstract class EntityService<T>(IStore<T> store, IdGenerator ids, TimeProvider time, string keyScope)
    where T : class, IContent
{
    private readonly ConcurrentDictionary<string, bool> keysInUse = new(StringComparer.Ordinal);

    /// <inheritdoc cref="IStore.NeedsReadConsistency"/>
    public bool NeedsReadConsistency => store.NeedsReadConsistency;

    /// <inheritdoc cref="IStore.Revision"/>
    public long? Revision => store.Revision;

    /// <summary>Creates a resource under a new id, or finds the one that an earlier try created.</summary>
    /// <param name="value">Its content.</param>
    /// <param name="key">Idempotency key of the request; null when it has none.</param>
    /// <param name="cancel">Until the change has begun.</param>
    public async ValueTask<CreateOutcome> CreateAsync(T value, IdempotencyKey? key, CancellationToken cancel)
    {
        if (key is not { } given)
        {
            return await CreateAsync(value, cancel);
        }
        var scope = KeyScopeOf(value);
        given = given with { Text = scope.Length == 0 ? given.Text : $"{scope} {given.Text}" };
        if (!keysInUse.TryAdd(given.Text, true))
        {
            return new CreateOutcome("", default, ErrorKind.KeyInUse);
        }
        try
        {
            return await CreateOnceAsync(value, given, cancel);
        }
        finally
        {
            keysInUse.TryRemove(given.Text, out _);
        }
    }

    /// <returns>The value, or null when there is none with this id.</returns>
    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel) => store.FindAsync(id, cancel);

    /// <inheritdoc cref="IStore{T}.ListAsync"/>
    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel) =>
        store.ListAsync(query, cancel);

    /// <summary>Replaces the whole content of a resource.</summary>
    /// <inheritdoc cref="ChangeAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> ReplaceAsync(
        string id, T value, Predicate<ContentVersion>? allows, CancellationToken cancel) =>
        allows is null
            ? store.UpdateAsync(new Stored<T>(id, value), expected: null, cancel)
            : ReplaceIfAsync(id, value, allows, cancel);

    /// <summary>
    /// Applies <paramref name="change"/> to a resource with optimistic concurrency: a conflict is retried.
    /// </summary>
    /// <param name="id">Of the resource.</param>
    /// <param name="change">May be called more than once.</param>
    /// <param name="allows">Whether the current version may be changed; null for any.</param>
    /// <param name="cancel">Until the change has begun.</param>
    /// <returns>Null when done, else <see cref="ErrorKind.NotFound"/> or <see
    /// cref="ErrorKind.VersionMismatch"/>.</returns>
    public ValueTask<ErrorKind?> ChangeAsync(
        string id, Func<T, T> change, Predicate<ContentVersion>? allows, CancellationToken cancel) =>
        WithCurrentAsync(
            id,
            allows,
            current => store.UpdateAsync(new Stored<T>(id, change(current.Value)), current.Version, cancel),
            cancel);

    /// <summary>Deletes a resource.</summary>
    /// <inheritdoc cref="ChangeAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> DeleteAsync(string id, Predicate<ContentVersion>? allows, CancellationToken cancel) =>
        allows is null
            ? store.DeleteAsync(id, expected: null, cancel)
            : DeleteIfAsync(id, allows, cancel);

    // Apart, so that there is no closure without conditions.
    private ValueTask<ErrorKind?> ReplaceIfAsync(
        string id, T value, Predicate<ContentVersion> allows, CancellationToken cancel) =>
        ChangeAsync(id, _ => value, allows, cancel);

    private ValueTask<ErrorKind?> DeleteIfAsync(
        string id, Predicate<ContentVersion> allows, CancellationToken cancel) =>
        WithCurrentAsync(id, allows, current => store.DeleteAsync(id, current.Version, cancel), cancel);

    /// <summary>
    /// The scope of the idempotency key of a new value. That of a child has the id of its parent, too, which is in the
    /// path of the request and not in the body: the same key and body for another parent is another create.
    /// </summary>
    protected virtual string KeyScopeOf(T value) => keyScope;

    private async ValueTask<CreateOutcome> CreateAsync(T value, CancellationToken cancel)
    {
        while (true)
        {
            var item = new Stored<T>(ids.Next(), value);
            var refusal = await store.CreateAsync(item, idempotency: null, cancel);
            if (refusal != ErrorKind.IdTaken)
            {
                return new CreateOutcome(item.Id, item.Version, refusal);
            }
        }
    }

    private async ValueTask<CreateOutcome> CreateOnceAsync(
        T value, IdempotencyKey key, CancellationToken cancel)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            if (await store.FindKeyAsync(key.Text, cancel) is { } known && !known.IsExpired(now))
            {
                return known.BodyHash == key.BodyHash
                    ? new CreateOutcome(known.Id, known.Version)
                    : new CreateOutcome("", default, ErrorKind.KeyReused);
            }
            var item = new Stored<T>(ids.Next(), value);
            var idempotency = new IdempotencyRecord(key.Text, key.BodyHash, item.Id, item.Version, now);
            var refusal = await store.CreateAsync(item, idempotency, cancel);
            if (refusal != ErrorKind.IdTaken)
            {
                return new CreateOutcome(item.Id, item.Version, refusal);
            }
            // Another process used the key first: retry, and return its result.
        }
    }

    private async ValueTask<ErrorKind?> WithCurrentAsync(
        string id,
        Predicate<ContentVersion>? allows,
        Func<Stored<T>, ValueTask<ErrorKind?>> change,
        CancellationToken cancel)
    {
        while (true)
        {
            if (await store.FindAsync(id, cancel) is not { } current)
            {
                return ErrorKind.NotFound;
            }
            if (allows?.Invoke(current.Version) == false)
            {
                return ErrorKind.VersionMismatch;
            }
            var refusal = await change(current);
            if (refusal != ErrorKind.VersionMismatch)
            {
                return refusal;
            }
            // A concurrent change won: retry with the current version.
        }
    }
}
