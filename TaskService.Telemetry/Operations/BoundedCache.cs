using System.Collections.Concurrent;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// Caches the value computed for each key. When there are too many keys, it is cleared. Safe for use by several threads
/// at once.
/// </summary>
/// <param name="keysMax">Maximum of keys; a few more with concurrent callers.</param>
/// <param name="make">Returns the same value for the same key.</param>
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
