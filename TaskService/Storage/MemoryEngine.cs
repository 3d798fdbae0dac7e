using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>Keeps values in memory until the process ends.</summary>
internal sealed class MemoryEngine : IEngine
{
    private readonly KeyTable keys = new();
    private readonly References references = new();

    public static Func<StoreSetup, IEngine> Read(ConfigSection section, string key)
    {
        section.Empty(key);
        return _ => new MemoryEngine();
    }

    public IStore<T> Store<T>(Entity<T> entity)
        where T : class, IContent
    {
        var table = new Table<T>(entity);
        references.Add(entity, id => table.Find(id) is not null);
        return new MemoryStore<T>(entity, table, keys, references);
    }

    public Task OpenAsync(CancellationToken cancel) => Task.CompletedTask;

    public ValueTask PingAsync(CancellationToken cancel) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Keeps the values of one entity.</summary>
internal sealed class MemoryStore<T>(Entity<T> entity, Table<T> table, KeyTable keys, References references)
    : IStore<T>
    where T : class, IContent
{
    private readonly bool hasParents = entity.References.Count > 0;

    public long? Revision => table.Revision;

    public ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var refusal = hasParents ? CreateChild(item) : Create(item);
        if (refusal is null && idempotency is not null)
        {
            keys.Add(idempotency);
        }
        return ValueTask.FromResult(refusal);
    }

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(keys.Find(key));
    }

    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Find(id));
    }

    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel) =>
        table.ListAsync(query, cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        table.ListIdsDescendingAsync(cancel);

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Replace(item, expected));
    }

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(references.Delete(
            entity, id, () => (table.Remove(id, expected, out var removed), removed)));
    }

    private ErrorKind? Create(Stored<T> item) => table.Add(item) ? null : ErrorKind.IdTaken;

    private ErrorKind? CreateChild(Stored<T> item) => references.Create(
        entity, item.Value, () => Create(item), static () => false);
}
