using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>Idempotency keys in memory: the oldest are evicted when they expire, or when there are too many.</summary>
internal sealed class KeyTable
{
    /// <summary>About 40 MB. Beyond, the oldest key is evicted, and counted.</summary>
    public const int ItemsMax = 100_000;

    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> Forgotten = Meter.CreateCounter<long>(
        "idempotency_keys.forgotten",
        "{key}",
        "Idempotency keys that were forgotten before they expired, for lack of room.");

    private readonly Lock gate = new();
    private readonly Dictionary<string, IdempotencyRecord> keys = new(StringComparer.Ordinal);
    private readonly Queue<IdempotencyRecord> oldestFirst = new();

    /// <summary>The record of this key, expired or not; null when there is none.</summary>
    public IdempotencyRecord? Find(string key)
    {
        lock (gate)
        {
            return keys.GetValueOrDefault(key);
        }
    }

    /// <summary>Adds a record, in place of an expired one of the same key.</summary>
    /// <returns>The evicted records.</returns>
    public IReadOnlyList<IdempotencyRecord> Add(IdempotencyRecord create)
    {
        var evicted = new List<IdempotencyRecord>();
        lock (gate)
        {
            if (keys.Remove(create.Key, out var former))
            {
                evicted.Add(former);
            }
            keys.Add(create.Key, create);
            oldestFirst.Enqueue(create);
            while (TryEvict(create, out var old))
            {
                evicted.Add(old);
            }
        }
        return evicted;
    }

    private bool TryEvict(IdempotencyRecord newest, [NotNullWhen(true)] out IdempotencyRecord? oldest)
    {
        while (oldestFirst.TryPeek(out oldest))
        {
            var isStale = !ReferenceEquals(keys.GetValueOrDefault(oldest.Key), oldest);
            var isExpired = oldest.IsExpired(newest.Created);
            if (!isStale && !isExpired && keys.Count <= ItemsMax)
            {
                return false;
            }
            oldestFirst.Dequeue();
            if (!isStale)
            {
                keys.Remove(oldest.Key);
                Forgotten.Add(isExpired ? 0 : 1);
                return true;
            }
        }
        return false;
    }
}
