using System.Runtime.CompilerServices;
using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage;

/// <summary>
/// Observes the calls of any engine as operations <c>.store.find</c>, <c>.store.list</c> and so on, with the
/// <c>table</c> and the <c>row_count</c> of rows that were found, listed or changed.
/// </summary>
internal sealed class ObservedStore<T> : IStore<T>
    where T : class, IContent
{
    private readonly IStore<T> store;
    private readonly string table;

    private ObservedStore(IStore<T> store, string table) => (this.store, this.table) = (store, table);

    public long? Revision => store.Revision;

    public bool NeedsReadConsistency => store.NeedsReadConsistency;

    /// <summary>Returns the store itself without exporters and statistics, to save the overhead on every
    /// request.</summary>
    public static IStore<T> Around(IStore<T> store, string table, OperationSource telemetry) =>
        telemetry.HasReaders ? new ObservedStore<T>(store, table) : store;

    public ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel) =>
        CallAsync(
            ".store.create",
            (store, item, idempotency, cancel),
            static call => call.store.CreateAsync(call.item, call.idempotency, call.cancel),
            static refusal => refusal is null);

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel) =>
        CallAsync(
            ".store.find_key",
            (store, key, cancel),
            static call => call.store.FindKeyAsync(call.key, call.cancel),
            static found => found is not null);

    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel) =>
        CallAsync(
            ".store.find",
            (store, id, cancel),
            static call => call.store.FindAsync(call.id, call.cancel),
            static found => found is not null);

    public async IAsyncEnumerable<Stored<T>> ListAsync(
        Query<T> query, [EnumeratorCancellation] CancellationToken cancel)
    {
        // The duration includes that of the consumer. When that stops early, row_count is what it has read.
        using var operation = Operation.Start(".store.list");
        operation.Set("table", table);
        operation.Add("row_count", 0);
        await using var items = store.ListAsync(query, cancel).GetAsyncEnumerator(cancel);
        while (await NextAsync())
        {
            operation.Add("row_count", 1);
            yield return items.Current;
        }

        async ValueTask<bool> NextAsync()
        {
            try
            {
                return await items.MoveNextAsync();
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

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel) =>
        CallAsync(
            ".store.update",
            (store, item, expected, cancel),
            static call => call.store.UpdateAsync(call.item, call.expected, call.cancel),
            static refusal => refusal is null);

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        CallAsync(
            ".store.delete",
            (store, id, expected, cancel),
            static call => call.store.DeleteAsync(call.id, call.expected, call.cancel),
            static refusal => refusal is null);

    private ValueTask<TResult> CallAsync<TState, TResult>(
        string name, TState state, Func<TState, ValueTask<TResult>> call, Predicate<TResult> isRow)
    {
        if (Operation.StartCount(name) is not { } count)
        {
            return ObserveAsync(name, state, call, isRow);
        }
        var result = call(state);
        if (!result.IsCompletedSuccessfully)
        {
            return CountAsync(count, result);
        }
        count.End();
        return result;
    }

    private static async ValueTask<TResult> CountAsync<TResult>(OperationCount count, ValueTask<TResult> call)
    {
        try
        {
            return await call;
        }
        finally
        {
            count.End();
        }
    }

    // As Operation.RunAsync, but a call allocates only its operation: state replaces the closure, and the fields are
    // passed to End.
    private async ValueTask<TResult> ObserveAsync<TState, TResult>(
        string name, TState state, Func<TState, ValueTask<TResult>> call, Predicate<TResult> isRow)
    {
        var operation = Operation.Start(name);
        try
        {
            var result = await call(state);
            operation.End([new("table", table), new("row_count", isRow(result) ? 1 : 0)]);
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
