using System.Data;
using System.Data.Common;
using System.Globalization;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <summary>Statements on the table of idempotency keys, in SQL that every engine supports.</summary>
internal static class KeySql
{
    /// <summary>
    /// Expired keys that one statement deletes, at most. An engine keeps up if it deletes before so many new ones.
    /// </summary>
    public const int ExpiredItemsMax = 500;

    public const string Find =
        "SELECT key, body_hash, task_id, version, created FROM idempotency_keys WHERE key = @key";

    /// <summary>
    /// Changes no row when the key exists and is not expired: another process has created a task with it meanwhile.
    /// </summary>
    public const string Insert =
        "INSERT INTO idempotency_keys (key, body_hash, task_id, version, created)"
        + " VALUES (@key, @body_hash, @task_id, @version, @created)"
        + " ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, task_id = excluded.task_id,"
        + " version = excluded.version, created = excluded.created WHERE idempotency_keys.created <= @expired";

    public const string DeleteExpired =
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE created <= @expired"
        + " ORDER BY created LIMIT @limit)";

    /// <summary>Sets the parameter of <see cref="Find"/>.</summary>
    public static void SetName(SqlParameters parameters, string key) =>
        TaskSql.Set(parameters, "@key", DbType.String, key);

    /// <summary>Sets the parameters of <see cref="Insert"/>.</summary>
    public static void SetKey(SqlParameters parameters, IdempotencyRecord create)
    {
        TaskSql.Set(parameters, "@key", DbType.String, create.Key);
        TaskSql.Set(parameters, "@body_hash", DbType.String, create.BodyHash.ToString("x32", null));
        TaskSql.Set(parameters, "@task_id", DbType.String, create.TaskId);
        TaskSql.Set(parameters, "@version", DbType.String, create.Version.ToString());
        TaskSql.Set(parameters, "@created", DbType.Int64, Microseconds(create.Created));
        SetExpired(parameters, create.Created);
    }

    /// <summary>Sets the parameters of <see cref="DeleteExpired"/>.</summary>
    public static void SetExpiry(SqlParameters parameters, DateTimeOffset now)
    {
        SetExpired(parameters, now);
        TaskSql.Set(parameters, "@limit", DbType.Int32, ExpiredItemsMax);
    }

    /// <summary>Reads the current row of <see cref="Find"/>.</summary>
    public static IdempotencyRecord Read(DbDataReader reader) => new(
        reader.GetString(0),
        ParseHash(reader.GetString(1)),
        reader.GetString(2),
        new TaskVersion(ParseHash(reader.GetString(3))),
        DateTimeOffset.UnixEpoch.AddTicks(reader.GetInt64(4) * TimeSpan.TicksPerMicrosecond));

    private static void SetExpired(SqlParameters parameters, DateTimeOffset now) =>
        TaskSql.Set(parameters, "@expired", DbType.Int64, Microseconds(now - IdempotencyRecord.KeptTime));

    private static long Microseconds(DateTimeOffset time) =>
        (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static UInt128 ParseHash(string text) => UInt128.Parse(text, NumberStyles.AllowHexSpecifier, null);
}
