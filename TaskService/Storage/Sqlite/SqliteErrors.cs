using Microsoft.Data.Sqlite;
using SQLitePCL;
using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>Tells the errors of SQLite apart, by their numbers.</summary>
internal static class SqliteErrors
{
    /// <summary>Whether there was no room: nothing of the transaction is kept.</summary>
    public static bool IsFull(Exception error) => error is SqliteException { SqliteErrorCode: raw.SQLITE_FULL };

    /// <summary>What an error is to those who want something of the store.</summary>
    /// <returns>Null when it is a fault of this program, which has no place among the errors of a store.</returns>
    public static StorageException? ToStorage(SqliteException error, string path) => error.SqliteErrorCode switch
    {
        raw.SQLITE_FULL => new StorageException(ErrorKind.StorageFull, $"no room for {path}", error),
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PROTOCOL => Unavailable(
            $"another process has kept {path} locked for too long", error),
        raw.SQLITE_MISUSE or raw.SQLITE_RANGE => null,
        // The disk, its permissions, the file. And SQLITE_ERROR or SQLITE_CONSTRAINT: statements never change, and fit
        // the schema that was there at the start, so it is not that any more.
        _ => Unavailable($"{path} cannot be used: {error.Message}", error),
    };

    private static StorageException Unavailable(string message, SqliteException error) =>
        new(ErrorKind.StorageUnavailable, $"{message} ({error.SqliteExtendedErrorCode})", error);
}
