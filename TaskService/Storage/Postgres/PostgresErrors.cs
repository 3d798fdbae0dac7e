using Npgsql;
using TaskService.Domain;

namespace TaskService.Storage.Postgres;

/// <summary>What errors of PostgreSQL mean. Their SQLSTATE decides, never their text, which has languages.</summary>
internal static class PostgresErrors
{
    private const string Warning = "01000";

    // What a trigger says by RAISE WARNING has the same code.
    private const string RaiseRoutine = "exec_stmt_raise";

    // Classes whose errors come from the state of the server, whichever statement it was: connections, transactions
    // that are read-only or were rolled back, statements that are prepared no longer, access, resources, objects in
    // use, operators, its system, its data.
    private static readonly string[] ServerClasses =
        ["08", "25", "26", "28", "3D", "40", "53", "55", "57", "58", "F0", "XX"];

    // Classes whose errors come from the schema or the rights that a statement meets: somebody has changed them, since
    // the text of each statement is fixed and was right. Another statement may meet others.
    private static readonly string[] SchemaClasses = ["0A", "3F", "42", "HV"];

    /// <summary>
    /// A <see cref="StorageException"/>, when it is the storage that has failed; null for cancellations and mistakes
    /// of ours.
    /// </summary>
    public static StorageException? Translate(Exception error) => error switch
    {
        StorageException known => known,
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } =>
            new(ErrorKind.StorageFull, error.Message, error),
        PostgresException refused when !ServerClasses.Concat(SchemaClasses).Contains(refused.SqlState[..2]) => null,
        // Not reached, lost, out of time, or no connection of the pool was free.
        NpgsqlException or TimeoutException or IOException =>
            new(ErrorKind.StorageUnavailable, error.Message, error),
        _ => null,
    };

    /// <summary>Whether this may be the warning that alone tells of a commit without its standby.</summary>
    public static bool IsCommitWarning(PostgresNotice notice) =>
        notice.SqlState == Warning && notice.Routine != RaiseRoutine;

    /// <summary>
    /// Whether nothing is left of the transaction, and what was in it may be tried in another way: the storage works,
    /// or it has ended a deadlock of several transactions.
    /// </summary>
    public static bool IsRolledBack(Exception error) =>
        error is PostgresException refused
        && (refused.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
            || !ServerClasses.Contains(refused.SqlState[..2]));

    /// <summary>Whether it is the connection that has failed, so that another one may do.</summary>
    public static bool IsConnectionError(Exception error) => error switch
    {
        PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } => false,
        PostgresException refused => refused.SqlState[..2] is "08" or "57",
        NpgsqlException => !IsTimeout(error),
        _ => error is IOException,
    };

    // Of several hosts, each has its own error within.
    private static bool IsTimeout(Exception? error) => error switch
    {
        TimeoutException => true,
        AggregateException all => all.InnerExceptions.Any(IsTimeout),
        NpgsqlException => IsTimeout(error.InnerException),
        _ => false,
    };

    /// <summary>Why it failed, without the list of all that was tried.</summary>
    public static string Reason(Exception error) => error switch
    {
        StorageException known => known.Message,
        PostgresException refused => refused.MessageText,
        AggregateException { InnerExceptions: [var first, ..] } => Reason(first),
        { InnerException: { } inner } => Reason(inner),
        _ => error.Message,
    };
}
