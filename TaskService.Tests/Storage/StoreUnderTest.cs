using System.Reflection;
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

    /// <summary>Whether a special value belongs to what the first one belongs to.</summary>
    bool IsSiblingOfFirst(int index);

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

    /// <summary>The properties that do not count for the version, and those that no two special values have
    /// differently.</summary>
    IEnumerable<string> PropertiesOutsideOfTheVersion();
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

    public bool IsSiblingOfFirst(int index) => entity.Entity.References.All(
        reference => reference.IdOf(entity.Values[index]) == reference.IdOf(entity.Values[0]));

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

    public IEnumerable<string> PropertiesOutsideOfTheVersion()
    {
        // A record is copied by this method.
        var copy = typeof(T).GetMethod("<Clone>$")!;
        foreach (var property in typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var value = entity.Values[0];
            var other = entity.Values.FirstOrDefault(one => !Equals(property.GetValue(one), property.GetValue(value)));
            var changed = (T)copy.Invoke(value, null)!;
            property.SetValue(changed, property.GetValue(other ?? value));
            if (changed.ComputeVersion() == value.ComputeVersion())
            {
                yield return other is null ? $"{property.Name}, the same in all values" : property.Name;
            }
        }
    }
}
