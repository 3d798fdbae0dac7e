using TaskService.Domain;
using TaskService.Storage;
using TaskService.Storage.Tasks;

namespace TaskService.Tests.Storage;

/// <summary>An engine that stores one entity, opened and closed with it.</summary>
internal class TestStore<T>(IEngine engine, Entity<T> entity) : IStore<T>, IAsyncDisposable
    where T : class, IContent
{
    private readonly IStore<T> store = engine.Store(entity);

    public long? Revision => store.Revision;

    public bool NeedsReadConsistency => store.NeedsReadConsistency;

    public Task OpenAsync(CancellationToken cancel) => engine.OpenAsync(cancel);

    public ValueTask PingAsync(CancellationToken cancel) => engine.PingAsync(cancel);

    public ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel) =>
        store.CreateAsync(item, idempotency, cancel);

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel) =>
        store.FindKeyAsync(key, cancel);

    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel) => store.FindAsync(id, cancel);

    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel) =>
        store.ListAsync(query, cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        store.ListIdsDescendingAsync(cancel);

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel) =>
        store.UpdateAsync(item, expected, cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        store.DeleteAsync(id, expected, cancel);

    public ValueTask DisposeAsync() => engine.DisposeAsync();
}

/// <summary>An engine that stores tasks.</summary>
internal sealed class TaskStore(IEngine engine) : TestStore<TaskEntry>(engine, TaskRow.Entity);
