using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>Keeps tasks in memory until the process ends.</summary>
internal sealed class MemoryTaskStore : ITaskStore
{
    private readonly TaskTable table = new();
    private readonly KeyTable keys = new();

    public long? Revision => table.Revision;

    public static Func<StoreSetup, ITaskStore> Read(ConfigSection section, string key)
    {
        section.Empty(key);
        return _ => new MemoryTaskStore();
    }

    public Task OpenAsync(CancellationToken cancel) => Task.CompletedTask;

    public ValueTask<bool> CreateAsync(StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var added = table.Add(task);
        if (added && idempotency is not null)
        {
            keys.Add(idempotency);
        }
        return ValueTask.FromResult(added);
    }

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(keys.Find(key));
    }

    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Find(id));
    }

    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        table.ListAsync(query, cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        table.ListIdsDescendingAsync(cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Replace(task, expected));
    }

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Remove(id, expected));
    }

    public ValueTask PingAsync(CancellationToken cancel) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
