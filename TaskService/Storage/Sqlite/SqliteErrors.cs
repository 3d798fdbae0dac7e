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
        raw.SQLITE_IOERR or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM or raw.SQLITE_AUTH
            or raw.SQLITE_NOMEM or raw.SQLITE_NOLFS or raw.SQLITE_INTERRUPT or raw.SQLITE_ABORT
            or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_SCHEMA => Unavailable(
                $"{path} cannot be used: {error.Message}", error),
        _ => null,
    };

    private static StorageException Unavailable(string message, SqliteException error) =>
        new(ErrorKind.StorageUnavailable, $"{message} ({error.SqliteExtendedErrorCode})", error);
}
