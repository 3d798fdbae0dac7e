using Microsoft.Data.Sqlite;
using SQLitePCL;
using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>Classifies errors of SQLite by their codes.</summary>
internal static class SqliteErrors
{
    /// <summary>Whether the disk was full: the transaction is rolled back.</summary>
    public static bool IsFull(Exception error) => error is SqliteException { SqliteErrorCode: raw.SQLITE_FULL };

    /// <summary>Maps an error to the contract of the store.</summary>
    /// <returns>Null for a bug of this program, which is no failure of the storage.</returns>
    public static StorageException? ToStorage(SqliteException error, string path) => error.SqliteErrorCode switch
    {
        raw.SQLITE_FULL => new StorageException(ErrorKind.StorageFull, $"no room for {path}", error),
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PROTOCOL => Unavailable(
            $"another process has kept {path} locked for too long", error),
        raw.SQLITE_MISUSE or raw.SQLITE_RANGE => null,
        // The disk, permissions, the file. Also SQLITE_ERROR and SQLITE_CONSTRAINT: the statements are fixed and match
        // the schema at start, so the schema has changed since.
        _ => Unavailable($"{path} cannot be used: {error.Message}", error),
    };

    private static StorageException Unavailable(string message, SqliteException error) =>
        new(ErrorKind.StorageUnavailable, $"{message} ({error.SqliteExtendedErrorCode})", error);
}
