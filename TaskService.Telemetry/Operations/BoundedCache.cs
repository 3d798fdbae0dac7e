using System.Collections.Concurrent;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// Keeps what was made of each key. When there are too many keys, it forgets all of them and begins anew. Safe for use
/// by several threads at once.
/// </summary>
/// <param name="keysMax">How many; a few more when several threads come at once.</param>
/// <param name="make">Gives the same for the same key.</param>
internal sealed class BoundedCache<TKey, TValue>(int keysMax, Func<TKey, TValue> make)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, TValue> kept = new();
    private int count;

    public TValue this[TKey key] => kept.TryGetValue(key, out var value) ? value : Make(key);

    private TValue Make(TKey key)
    {
        // Counted here, since the dictionary takes all of its locks to count.
        if (Interlocked.Increment(ref count) > keysMax)
        {
            kept.Clear();
            Volatile.Write(ref count, 1);
        }
        return kept[key] = make(key);
    }
}
