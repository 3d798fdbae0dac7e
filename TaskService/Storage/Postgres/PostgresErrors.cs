using Npgsql;
using TaskService.Domain;

namespace TaskService.Storage.Postgres;

/// <summary>Classifies errors of PostgreSQL by SQLSTATE, never by their text, which is localized.</summary>
internal static class PostgresErrors
{
    private const string Warning = "01000";

    // RAISE WARNING in a trigger has the same code.
    private const string RaiseRoutine = "exec_stmt_raise";

    // Classes of errors from the state of the server, independent of the statement: connections, transactions that are
    // read-only or were rolled back, lost prepared statements, access, resources, objects in use, operator
    // intervention, system errors, data corruption.
    private static readonly string[] ServerClasses =
        ["08", "25", "26", "28", "3D", "40", "53", "55", "57", "58", "F0", "XX"];

    // Classes of errors from the schema or the rights that a statement needs: they have changed, since the text of each
    // statement is fixed and was valid. Another statement may still work.
    private static readonly string[] SchemaClasses = ["0A", "3F", "42", "HV"];

    /// <summary>
    /// Maps a failure of the storage to a <see cref="StorageException"/>; null for cancellations and bugs of this
    /// program.
    /// </summary>
    public static StorageException? Translate(Exception error) => error switch
    {
        StorageException known => known,
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } =>
            new(ErrorKind.StorageFull, error.Message, error),
        PostgresException refused when !ServerClasses.Concat(SchemaClasses).Contains(refused.SqlState[..2]) => null,
        // Not reached, connection lost, timeout, or pool exhausted.
        NpgsqlException or TimeoutException or IOException =>
            new(ErrorKind.StorageUnavailable, error.Message, error),
        _ => null,
    };

    /// <summary>Whether this may be the warning of a commit that did not wait for its synchronous standby.</summary>
    public static bool IsCommitWarning(PostgresNotice notice) =>
        notice.SqlState == Warning && notice.Routine != RaiseRoutine;

    /// <summary>
    /// Whether the transaction was rolled back and its statements may be retried one by one: the server works, or it
    /// has resolved a deadlock.
    /// </summary>
    public static bool IsRolledBack(Exception error) =>
        error is PostgresException refused
        && (refused.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
            || !ServerClasses.Contains(refused.SqlState[..2]));

    /// <summary>Whether the connection has failed, so that a retry on another one may succeed.</summary>
    public static bool IsConnectionError(Exception error) => error switch
    {
        PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } => false,
        PostgresException refused => refused.SqlState[..2] is "08" or "57",
        NpgsqlException => !IsTimeout(error),
        _ => error is IOException,
    };

    // With several hosts, the aggregate has an error per host.
    private static bool IsTimeout(Exception? error) => error switch
    {
        TimeoutException => true,
        AggregateException all => all.InnerExceptions.Any(IsTimeout),
        NpgsqlException => IsTimeout(error.InnerException),
        _ => false,
    };

    /// <summary>The cause in one line, without the list of all attempts.</summary>
    public static string Reason(Exception error) => error switch
    {
        StorageException known => known.Message,
        PostgresException refused => refused.MessageText,
        AggregateException { InnerExceptions: [var first, ..] } => Reason(first),
        { InnerException: { } inner } => Reason(inner),
        _ => error.Message,
    };
}
