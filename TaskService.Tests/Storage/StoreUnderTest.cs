using TaskService.Domain;

namespace TaskService.Tests.Storage;

/// <summary>
/// A store without the type of its values, which are internal, while test classes are public. Items are
/// <see cref="Stored{T}"/>.
/// </summary>
internal interface IStoreUnderTest
{
    long? Revision { get; }

    /// <summary>The number of special values.</summary>
    int Values { get; }

    /// <summary>The number of queries.</summary>
    int Queries { get; }

    /// <summary>After the engine is open.</summary>
    Task PrepareAsync();

    /// <summary>A value of its own for each number, under an id.</summary>
    object Item(string id, int number);

    /// <summary>A special value under an id.</summary>
    object Special(string id, int index);

    string IdOf(object item);

    ContentVersion VersionOf(object item);

    /// <summary>Whether the version of an item is that of its content.</summary>
    bool IsWhole(object item);

    Task<ErrorKind?> CreateAsync(object item, IdempotencyRecord? idempotency, CancellationToken cancel);

    Task<object?> FindAsync(string id, CancellationToken cancel);

    Task<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel);

    Task<ErrorKind?> UpdateAsync(object item, ContentVersion? expected, CancellationToken cancel);

    Task<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel);

    Task<List<object>> ListAsync(string? after, CancellationToken cancel);

    /// <summary>What the engine lists for a query, and what it is to list of these items.</summary>
    Task<(List<object> Listed, List<object> Matching)> QueryAsync(int index, IEnumerable<object> items);

    Task<List<string>> ListIdsDescendingAsync(CancellationToken cancel);
}

/// <inheritdoc/>
internal sealed class StoreUnderTest<T>(StoreCase<T> entity, IStore<T> store, Func<Task>? createParents)
    : IStoreUnderTest
    where T : class, IContent
{
    public long? Revision => store.Revision;

    public int Values => entity.Values.Count;

    public int Queries => entity.Queries.Count;

    public Task PrepareAsync() => createParents?.Invoke() ?? Task.CompletedTask;

    public object Item(string id, int number) => new Stored<T>(id, entity.Numbered(number));

    public object Special(string id, int index) => new Stored<T>(id, entity.Values[index]);

    public string IdOf(object item) => ((Stored<T>)item).Id;

    public ContentVersion VersionOf(object item) => ((Stored<T>)item).Version;

    public bool IsWhole(object item) => ((Stored<T>)item).Version == ((Stored<T>)item).Value.ComputeVersion();

    public async Task<ErrorKind?> CreateAsync(
        object item, IdempotencyRecord? idempotency, CancellationToken cancel) =>
        await store.CreateAsync((Stored<T>)item, idempotency, cancel);

    public async Task<object?> FindAsync(string id, CancellationToken cancel) => await store.FindAsync(id, cancel);

    public async Task<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel) =>
        await store.FindKeyAsync(key, cancel);

    public async Task<ErrorKind?> UpdateAsync(object item, ContentVersion? expected, CancellationToken cancel) =>
        await store.UpdateAsync((Stored<T>)item, expected, cancel);

    public async Task<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        await store.DeleteAsync(id, expected, cancel);

    public async Task<List<object>> ListAsync(string? after, CancellationToken cancel) =>
        [.. await store.ListAsync(new Query<T> { After = after }, cancel).ToListAsync(cancel)];

    public async Task<(List<object> Listed, List<object> Matching)> QueryAsync(int index, IEnumerable<object> items)
    {
        var query = entity.Queries[index];
        var listed = await store.ListAsync(query, CancellationToken.None).ToListAsync();
        return ([.. listed], [.. items.Cast<Stored<T>>().Where(item => query.Matches(item.Value))]);
    }

    public async Task<List<string>> ListIdsDescendingAsync(CancellationToken cancel) =>
        await store.ListIdsDescendingAsync(cancel).ToListAsync(cancel);
}
