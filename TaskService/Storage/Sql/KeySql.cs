using System.Data;
using System.Data.Common;
using System.Globalization;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <summary>Statements on the table of idempotency keys, which all entities share, in SQL of every engine.</summary>
internal static class KeySql
{
    /// <summary>
    /// Expired keys that one statement deletes, at most. An engine keeps up if it deletes before so many new ones.
    /// </summary>
    public const int ExpiredItemsMax = 500;

    public const string Find =
        "SELECT key, body_hash, task_id, version, created FROM idempotency_keys WHERE key = @key";

    /// <summary>
    /// Changes no row when the key exists and is not expired: another process has created a resource with it meanwhile.
    /// </summary>
    public const string Insert =
        "INSERT INTO idempotency_keys (key, body_hash, task_id, version, created)"
        + " VALUES (@key, @body_hash, @task_id, @version, @created)"
        + " ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, task_id = excluded.task_id,"
        + " version = excluded.version, created = excluded.created WHERE idempotency_keys.created <= @expired";

    public const string Delete = "DELETE FROM idempotency_keys WHERE key = @key";

    public const string DeleteExpired =
        "DELETE FROM idempotency_keys WHERE key IN (SELECT key FROM idempotency_keys WHERE created <= @expired"
        + " ORDER BY created LIMIT @limit)";

    /// <summary>Sets the parameter of <see cref="Find"/> and <see cref="Delete"/>.</summary>
    public static void SetName(SqlParameters parameters, string key) =>
        parameters.Set("@key", DbType.String, key);

    /// <summary>Sets the parameters of <see cref="Insert"/>.</summary>
    public static void SetKey(SqlParameters parameters, IdempotencyRecord create)
    {
        parameters.Set("@key", DbType.String, create.Key);
        parameters.Set("@body_hash", DbType.String, create.BodyHash.ToString("x32", null));
        parameters.Set("@task_id", DbType.String, create.Id);
        parameters.Set("@version", DbType.String, create.Version.ToString());
        parameters.Set("@created", DbType.Int64, Microseconds.FromTime(create.Created));
        SetExpired(parameters, create.Created);
    }

    /// <summary>Sets the parameters of <see cref="DeleteExpired"/>.</summary>
    public static void SetExpiry(SqlParameters parameters, DateTimeOffset now)
    {
        SetExpired(parameters, now);
        parameters.Set("@limit", DbType.Int32, ExpiredItemsMax);
    }

    /// <summary>Reads the current row of <see cref="Find"/>.</summary>
    public static IdempotencyRecord Read(DbDataReader reader) => new(
        reader.GetString(0),
        ParseHash(reader.GetString(1)),
        reader.GetString(2),
        new ContentVersion(ParseHash(reader.GetString(3))),
        Microseconds.ToTime(reader.GetInt64(4)));

    private static void SetExpired(SqlParameters parameters, DateTimeOffset now) =>
        parameters.Set("@expired", DbType.Int64, Microseconds.FromTime(now - IdempotencyRecord.KeptTime));

    private static UInt128 ParseHash(string text) => UInt128.Parse(text, NumberStyles.AllowHexSpecifier, null);
}
