using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>All tasks in memory, found by id without a lock and listed in id order.</summary>
internal sealed class TaskTable
{
    private const int PageItems = 256;

    private readonly ConcurrentDictionary<string, StoredTask> tasks = new(StringComparer.Ordinal);
    private readonly SortedSet<string> order = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    public int Count => tasks.Count;

    public StoredTask? Find(string id) => tasks.GetValueOrDefault(id);

    /// <returns>False when the id is taken.</returns>
    public bool Add(StoredTask task)
    {
        lock (gate)
        {
            return tasks.TryAdd(task.Id, task) && order.Add(task.Id);
        }
    }

    /// <summary>Replaces a task that has the expected version, or any when that is null.</summary>
    public ErrorKind? Replace(StoredTask task, TaskVersion? expected)
    {
        while (true)
        {
            var current = Find(task.Id);
            if (Refusal(current, expected) is { } refusal)
            {
                return refusal;
            }
            if (tasks.TryUpdate(task.Id, task, current!))
            {
                return null;
            }
        }
    }

    /// <inheritdoc cref="Replace"/>
    public ErrorKind? Remove(string id, TaskVersion? expected)
    {
        lock (gate)
        {
            while (true)
            {
                var current = Find(id);
                if (Refusal(current, expected) is { } refusal)
                {
                    return refusal;
                }
                if (tasks.TryRemove(KeyValuePair.Create(id, current!)))
                {
                    order.Remove(id);
                    return null;
                }
            }
        }
    }

    /// <summary>Why a change of this task is refused; null when it is not.</summary>
    public static ErrorKind? Refusal(StoredTask? current, TaskVersion? expected) =>
        current is null ? ErrorKind.TaskNotFound
        : expected is not null && current.Version != expected ? ErrorKind.VersionMismatch
        : null;

    /// <inheritdoc cref="ITaskStore.ListAsync"/>
    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        Stream(
            Ids(query.After, descending: false)
                .Select(Find).OfType<StoredTask>().Where(task => query.Matches(task.Entry)),
            cancel);

    /// <inheritdoc cref="ITaskStore.ListIdsDescendingAsync"/>
    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        Stream(Ids(after: null, descending: true), cancel);

#pragma warning disable CS1998 // It has nothing to wait for, but the engines that have do it in this form.
    private static async IAsyncEnumerable<T> Stream<T>(
        IEnumerable<T> items, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var item in items)
        {
            cancel.ThrowIfCancellationRequested();
            yield return item;
        }
    }
#pragma warning restore CS1998

    /// <summary>
    /// All ids behind <paramref name="after"/>. The lock is held for a page at a time, never for the whole walk.
    /// </summary>
    private IEnumerable<string> Ids(string? after, bool descending)
    {
        var page = new string[PageItems];
        int count;
        do
        {
            count = 0;
            lock (gate)
            {
                foreach (var id in Behind(after, descending))
                {
                    page[count++] = id;
                    if (count == page.Length)
                    {
                        break;
                    }
                }
            }
            for (var i = 0; i < count; i++)
            {
                yield return after = page[i];
            }
        }
        while (count == page.Length);
    }

    private IEnumerable<string> Behind(string? after, bool descending)
    {
        if (order.Count == 0)
        {
            return [];
        }
        // The bounds of a view are included, and must be in order.
        var (low, high) = descending ? (order.Min, after ?? order.Max) : (after ?? order.Min, order.Max);
        if (StringComparer.Ordinal.Compare(low, high) > 0)
        {
            return [];
        }
        var view = order.GetViewBetween(low, high);
        return (descending ? view.Reverse() : view).SkipWhile(id => id == after);
    }
}
