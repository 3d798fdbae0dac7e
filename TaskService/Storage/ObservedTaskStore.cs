using System.Runtime.CompilerServices;
using TaskService.Domain;
using TaskService.Telemetry.Operations;

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

    public string? SchemaVersion => store.SchemaVersion;

    public string? Place => store.Place;

    public bool NeedsReadConsistency => store.NeedsReadConsistency;

    /// <summary>Returns the store itself without exporters and statistics, to save the overhead on every
    /// request.</summary>
    public static ITaskStore Around(ITaskStore store, OperationSource telemetry) =>
        telemetry.HasReaders ? new ObservedTaskStore(store) : store;

    public Task OpenAsync(CancellationToken cancel) => store.OpenAsync(cancel);

    public ValueTask<bool> CreateAsync(StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel) =>
        CallAsync(
            ".store.create",
            (store, task, idempotency, cancel),
            static call => call.store.CreateAsync(call.task, call.idempotency, call.cancel),
            static isNew => isNew);

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel) =>
        CallAsync(
            ".store.find_key",
            (store, key, cancel),
            static call => call.store.FindKeyAsync(call.key, call.cancel),
            static found => found is not null);

    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel) =>
        CallAsync(
            ".store.find",
            (store, id, cancel),
            static call => call.store.FindAsync(call.id, call.cancel),
            static found => found is not null);

    public async IAsyncEnumerable<StoredTask> ListAsync(
        TaskQuery query, [EnumeratorCancellation] CancellationToken cancel)
    {
        // The duration includes that of the consumer. When that stops early, row_count is what it has read.
        using var operation = Operation.Start(".store.list");
        operation.Add("row_count", 0);
        await using var tasks = store.ListAsync(query, cancel).GetAsyncEnumerator(cancel);
        while (await NextAsync())
        {
            operation.Add("row_count", 1);
            yield return tasks.Current;
        }

        async ValueTask<bool> NextAsync()
        {
            try
            {
                return await tasks.MoveNextAsync();
            }
            catch (Exception error)
            {
                operation.Fail(error);
                throw;
            }
        }
    }

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        store.ListIdsDescendingAsync(cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        CallAsync(
            ".store.update",
            (store, task, expected, cancel),
            static call => call.store.UpdateAsync(call.task, call.expected, call.cancel),
            static refusal => refusal is null);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        CallAsync(
            ".store.delete",
            (store, id, expected, cancel),
            static call => call.store.DeleteAsync(call.id, call.expected, call.cancel),
            static refusal => refusal is null);

    public ValueTask PingAsync(CancellationToken cancel) => store.PingAsync(cancel);

    public ValueTask DisposeAsync() => store.DisposeAsync();

    // As Operation.RunAsync, but a call allocates only its operation: state replaces the closure, and the one field is
    // passed to End.
    private static async ValueTask<T> CallAsync<TState, T>(
        string name, TState state, Func<TState, ValueTask<T>> call, Predicate<T> isRow)
    {
        var operation = Operation.Start(name);
        try
        {
            var result = await call(state);
            operation.End([new("row_count", isRow(result) ? 1 : 0)]);
            return result;
        }
        catch (Exception error)
        {
            operation.Fail(error);
            throw;
        }
        finally
        {
            // The async method restores Operation.Current when it returns.
            operation.End([]);
        }
    }
}
