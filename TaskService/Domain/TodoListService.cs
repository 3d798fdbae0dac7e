namespace TaskService.Domain;

/// <summary>
/// The todo list: what can be done with tasks, by whatever way the wish arrives and wherever they are kept.
/// </summary>
internal sealed class TodoListService(ITaskStore store, TimeProvider time)
{
    private readonly TaskIds ids = new(time);

    /// <summary>Opens the store. New ids will be higher than any that this code ever made.</summary>
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

    /// <summary>Adds a task under a new id.</summary>
    public async ValueTask<StoredTask> CreateAsync(TaskEntry entry, CancellationToken cancel)
    {
        while (true)
        {
            var task = new StoredTask(ids.Next(), entry);
            if (await store.CreateAsync(task, cancel))
            {
                return task;
            }
        }
    }

    /// <returns>The task, or null when no task has this id.</returns>
    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel) => store.FindAsync(id, cancel);

    /// <inheritdoc cref="ITaskStore.ListAsync"/>
    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        store.ListAsync(query, cancel);

    /// <summary>Replaces the whole content of a task.</summary>
    /// <inheritdoc cref="ITaskStore.UpdateAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> ReplaceAsync(
        string id, TaskEntry entry, TaskVersion? expected, CancellationToken cancel) =>
        store.UpdateAsync(new StoredTask(id, entry), expected, cancel);

    /// <summary>Deletes a task.</summary>
    /// <inheritdoc cref="ITaskStore.DeleteAsync" path="/param|/returns"/>
    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        store.DeleteAsync(id, expected, cancel);
}
