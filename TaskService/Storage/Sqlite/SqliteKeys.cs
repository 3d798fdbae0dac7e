using System.Collections.Concurrent;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Sqlite;

/// <summary>The table of idempotency keys, which all entities share.</summary>
internal sealed class SqliteKeys
{
    /// <summary>Creates with keys between two deletions of expired keys.</summary>
    private const int ExpiryItems = 100;

    // Creates in progress, by their keys.
    private readonly ConcurrentDictionary<string, Task> unfinished = new(StringComparer.Ordinal);
    private int createsUntilExpiry;

    public static IdempotencyRecord? Find(SqliteSession session, string key)
    {
        IdempotencyRecord? known = null;
        session.Query(KeySql.Find, command => KeySql.SetName(command, key), row =>
        {
            known = KeySql.Read(row);
            return false;
        });
        return known;
    }

    /// <summary>A create with this key has begun.</summary>
    public void Begin(string key, Task ended)
    {
        unfinished[key] = ended;
        _ = ForgetAsync(key, ended);
    }

    /// <summary>Waits for the end of a create with this key that has begun.</summary>
    public async ValueTask WaitAsync(string key, CancellationToken cancel)
    {
        if (unfinished.TryGetValue(key, out var ended))
        {
            await Task.WhenAny(ended).WaitAsync(cancel);
        }
    }

    /// <summary>Writes a record in the transaction of the create.</summary>
    public void Write(SqliteSession session, IdempotencyRecord idempotency)
    {
        session.Execute(KeySql.Insert, command => KeySql.SetKey(command, idempotency));
        if (--createsUntilExpiry <= 0)
        {
            createsUntilExpiry = ExpiryItems;
            session.Execute(KeySql.DeleteExpired, command => KeySql.SetExpiry(command, idempotency.Created));
        }
    }

    /// <summary>Checks in a transaction that a row can be written, and deleted again.</summary>
    public static void Probe(SqliteSession session)
    {
        // No record has this key.
        const string unused = "";
        var record = new IdempotencyRecord(unused, default, unused, default, DateTimeOffset.UnixEpoch);
        session.Execute(KeySql.Insert, command => KeySql.SetKey(command, record));
        session.Execute(KeySql.Delete, command => KeySql.SetName(command, unused));
    }

    private async Task ForgetAsync(string key, Task ended)
    {
        await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        unfinished.TryRemove(KeyValuePair.Create(key, ended));
    }
}
