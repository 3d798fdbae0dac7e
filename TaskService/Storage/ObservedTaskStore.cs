using System.Runtime.CompilerServices;
using TaskService.Domain;
using TaskService.Telemetry;

namespace TaskService.Storage;

/// <summary>
/// Observes the calls of any engine as operations <c>.store.find</c>, <c>.store.list</c> and so on, with the
/// <c>row_count</c> of tasks that were found, listed or changed.
/// </summary>
internal sealed class ObservedTaskStore : ITaskStore
{
    private readonly ITaskStore store;

    private ObservedTaskStore(ITaskStore store) => this.store = store;

    public long? Revision => store.Revision;

    /// <summary>The store itself when nobody reads what is observed: it is on the way of every request.</summary>
    public static ITaskStore Around(ITaskStore store, TelemetrySystem telemetry) =>
        telemetry.HasReaders ? new ObservedTaskStore(store) : store;

    public Task OpenAsync(CancellationToken cancel) => store.OpenAsync(cancel);

    public ValueTask<bool> CreateAsync(StoredTask task, RememberedCreate? remember, CancellationToken cancel) =>
        CallAsync("create", () => store.CreateAsync(task, remember, cancel), isNew => isNew);

    public ValueTask<RememberedCreate?> FindKeyAsync(string key, CancellationToken cancel) =>
        CallAsync("find_key", () => store.FindKeyAsync(key, cancel), found => found is not null);

    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel) =>
        CallAsync("find", () => store.FindAsync(id, cancel), found => found is not null);

    public async IAsyncEnumerable<StoredTask> ListAsync(
        TaskQuery query, [EnumeratorCancellation] CancellationToken cancel)
    {
        // Its time is that of the reader, too. When that gives up, it is the number of tasks that it got.
        using var operation = Operations.Start(".store.list");
        operation.Add("row_count", 0);
        await foreach (var task in store.ListAsync(query, cancel))
        {
            operation.Add("row_count", 1);
            yield return task;
        }
    }

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        store.ListIdsDescendingAsync(cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        CallAsync("update", () => store.UpdateAsync(task, expected, cancel), refusal => refusal is null);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        CallAsync("delete", () => store.DeleteAsync(id, expected, cancel), refusal => refusal is null);

    public ValueTask PingAsync(CancellationToken cancel) => store.PingAsync(cancel);

    public ValueTask DisposeAsync() => store.DisposeAsync();

    private static ValueTask<T> CallAsync<T>(string name, Func<ValueTask<T>> call, Predicate<T> isRow) =>
        Operations.RunAsync($".store.{name}", async operation =>
        {
            var result = await call();
            operation.Set("row_count", isRow(result) ? 1 : 0);
            return result;
        });
}
