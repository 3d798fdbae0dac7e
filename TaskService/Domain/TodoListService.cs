using System.Collections.Concurrent;

namespace TaskService.Domain;

/// <summary>
/// The use cases of the todo list, independent of transport and storage engine.
/// </summary>
internal sealed class TodoListService(ITaskStore store, TimeProvider time)
{
    /// <summary>The maximum length of an idempotency key.</summary>
    public const int KeyCharactersMax = 255;

    private readonly TaskIds ids = new(time);
    private readonly ConcurrentDictionary<string, bool> keysInUse = new(StringComparer.Ordinal);

    /// <summary>Opens the store. New ids will be higher than all stored ids that this service generated.</summary>
    /// <exception cref="StorageException">The store cannot be opened.</exception>
    public async Task OpenAsync(CancellationToken cancel)
    {
        await store.OpenAsync(cancel);
        await foreach (var id in store.ListIdsDescendingAsync(cancel))
        {
            if (ids.StartAbove(id))
            {
                break;
            }
        }
    }

    /// <summary>Creates a task under a new id, or finds the one that an earlier try of the request created.</summary>
    /// <param name="entry">The task.</param>
    /// <param name="key">Idempotency key of the request; null when it has none.</param>
    /// <param name="cancel">Until the change has begun.</param>
    public async ValueTask<CreateOutcome> CreateAsync(TaskEntry entry, IdempotencyKey? key, CancellationToken cancel)
    {
        if (key is not { } given)
        {
            return await CreateAsync(entry, cancel);
        }
        if (!keysInUse.TryAdd(given.Text, true))
        {
            return new CreateOutcome("", default, ErrorKind.KeyInUse);
        }
        try
        {
            return await CreateOnceAsync(entry, given, cancel);
        }
        finally
        {
            keysInUse.TryRemove(given.Text, out _);
        }
    }

    /// <returns>The task, or null when no task has this id.</returns>
    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel) => store.FindAsync(id, cancel);

    /// <inheritdoc cref="ITaskStore.ListAsync"/>
    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        store.ListAsync(query, cancel);

    /// <inheritdoc cref="ITaskStore.NeedsReadConsistency"/>
    public bool NeedsReadConsistency => store.NeedsReadConsistency;

    /// <inheritdoc cref="ITaskStore.Revision"/>
    public long? Revision => store.Revision;

    /// <summary>Replaces the whole content of a task.</summary>
    /// <inheritdoc cref="ChangeAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> ReplaceAsync(
        string id, TaskEntry entry, Predicate<TaskVersion>? allows, CancellationToken cancel) =>
        allows is null
            ? store.UpdateAsync(new StoredTask(id, entry), expected: null, cancel)
            : ChangeAsync(id, _ => entry, allows, cancel);

    /// <summary>
    /// Applies <paramref name="change"/> to a task with optimistic concurrency: a conflict is retried.
    /// </summary>
    /// <param name="id">Of the task.</param>
    /// <param name="change">May be called more than once.</param>
    /// <param name="allows">Whether the current version may be changed; null for any.</param>
    /// <param name="cancel">Until the change has begun.</param>
    /// <returns>Null when done, else <see cref="ErrorKind.TaskNotFound"/> or <see
    /// cref="ErrorKind.VersionMismatch"/>.</returns>
    public ValueTask<ErrorKind?> ChangeAsync(
        string id, Func<TaskEntry, TaskEntry> change, Predicate<TaskVersion>? allows, CancellationToken cancel) =>
        WithCurrentAsync(
            id,
            allows,
            task => store.UpdateAsync(new StoredTask(id, change(task.Entry)), task.Version, cancel),
            cancel);

    /// <summary>Deletes a task.</summary>
    /// <inheritdoc cref="ChangeAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> DeleteAsync(string id, Predicate<TaskVersion>? allows, CancellationToken cancel) =>
        allows is null
            ? store.DeleteAsync(id, expected: null, cancel)
            : WithCurrentAsync(id, allows, task => store.DeleteAsync(id, task.Version, cancel), cancel);

    private async ValueTask<CreateOutcome> CreateAsync(TaskEntry entry, CancellationToken cancel)
    {
        while (true)
        {
            var task = new StoredTask(ids.Next(), entry);
            if (await store.CreateAsync(task, idempotency: null, cancel))
            {
                return new CreateOutcome(task.Id, task.Version);
            }
        }
    }

    private async ValueTask<CreateOutcome> CreateOnceAsync(
        TaskEntry entry, IdempotencyKey key, CancellationToken cancel)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            if (await store.FindKeyAsync(key.Text, cancel) is { } known && !known.IsExpired(now))
            {
                return known.BodyHash == key.BodyHash
                    ? new CreateOutcome(known.TaskId, known.Version)
                    : new CreateOutcome("", default, ErrorKind.KeyReused);
            }
            var task = new StoredTask(ids.Next(), entry);
            var idempotency = new IdempotencyRecord(key.Text, key.BodyHash, task.Id, task.Version, now);
            if (await store.CreateAsync(task, idempotency, cancel))
            {
                return new CreateOutcome(task.Id, task.Version);
            }
            // Another process used the key first: retry, and return its result.
        }
    }

    private async ValueTask<ErrorKind?> WithCurrentAsync(
        string id,
        Predicate<TaskVersion>? allows,
        Func<StoredTask, ValueTask<ErrorKind?>> change,
        CancellationToken cancel)
    {
        while (true)
        {
            if (await store.FindAsync(id, cancel) is not { } current)
            {
                return ErrorKind.TaskNotFound;
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
