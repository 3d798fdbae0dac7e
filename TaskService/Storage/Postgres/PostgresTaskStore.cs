using System.Data;
using System.Data.Common;
using Npgsql;
using NpgsqlTypes;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Keeps tasks in PostgreSQL: changes go to the primary, reads to a replica where there is one. Each change is one
/// statement, so that no transaction is held open, and other programs may use the same table.
/// </summary>
/// <param name="settings">The servers and the routing of reads.</param>
/// <param name="serviceName">Sent as <c>application_name</c>.</param>
/// <param name="loggers">For this engine and for Npgsql.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
/// <param name="isMigrateOnly">As <see cref="StoreSetup.IsMigrateOnly"/>.</param>
internal sealed class PostgresTaskStore(
    PostgresSettings settings,
    string serviceName,
    ILoggerFactory loggers,
    bool isReadOnly = false,
    bool isMigrateOnly = false) : ITaskStore
{
    private const int MigrationSecondsMax = 3_600;
    private const int ConnectSecondsMax = 15;

    // An arbitrary lock number, so that other programs do not use it by accident.
    private const string BeginMigration =
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7310600731854951)";

    private const string HasMigrations = "SELECT to_regclass('schema_migrations') IS NOT NULL";

    // The reasons why changes are not accepted, one per row. A missing table is an error.
    private const string SelectProblems =
        "SELECT 'its transactions are read-only' WHERE current_setting('transaction_read_only')::bool UNION ALL"
        + " SELECT format('the role %s has no right to %s on %s', current_user, verb, name)"
        + " FROM unnest(array['tasks', 'idempotency_keys']) name,"
        + " unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) verb WHERE NOT has_table_privilege(name, verb)";

    private const string IdIsTaken = "tasks_pkey";

    // Optimistic concurrency: changes the row only if it is the version that was read; no lock is held in between.
    private const string SameRow = " AND xmin = @xmin";

    private static readonly string FindRow = TaskSql.Find.Replace(" FROM ", ", xmin FROM ", StringComparison.Ordinal);

    // The commit of a visible row lies before the end of the log.
    private static readonly string FindKeyAndPosition = KeySql.Find.Replace(
        " FROM ", ", pg_current_wal_insert_lsn() FROM ", StringComparison.Ordinal);

    // The key first: the task is inserted only if the key is.
    private static readonly string InsertWithKey =
        $"WITH added AS ({KeySql.Insert} RETURNING key) {TaskSql.InsertFrom("added")}";

    // Keys that another transaction is deleting are skipped, without a wait.
    private static readonly string DeleteExpired = KeySql.DeleteExpired.Replace(
        "LIMIT @limit", "LIMIT @limit FOR UPDATE SKIP LOCKED", StringComparison.Ordinal);

    private readonly ILogger logger = loggers.CreateLogger<PostgresTaskStore>();
    private readonly PostgresCalls calls = new(settings, serviceName, loggers);

    public long? Revision => null;

    public string? SchemaVersion { get; private set; }

    public bool NeedsReadConsistency => calls.HasReplica;

    public static Func<StoreSetup, ITaskStore> Read(ConfigSection section, string key)
    {
        var settings = PostgresSettings.Read(section.Section(key));
        return setup => settings is null
            ? new MemoryTaskStore()
            : new PostgresTaskStore(
                settings, setup.ServiceName, setup.Loggers, setup.IsReadOnly, setup.IsMigrateOnly);
    }

    public async Task OpenAsync(CancellationToken cancel)
    {
        try
        {
            await MigrateAsync(cancel);
        }
        catch (Exception error) when (error is DbException or StorageException or TimeoutException or IOException)
        {
            var hosts = string.Join(", ", ConnectionString.Hosts(settings.Primary));
            var hint = error is StorageException
                && error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege }
                ? "; --migrate-only as the owner of the schema brings it up to date" : "";
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"task-db.postgres: {hosts} cannot be used: {PostgresErrors.Reason(error)}{hint}",
                error);
        }
    }

    public async ValueTask<bool> CreateAsync(
        StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        var insert = new PostgresChange(
            idempotency is null ? TaskSql.Insert : InsertWithKey,
            parameters =>
            {
                TaskSql.SetTask(parameters, task);
                if (idempotency is not null)
                {
                    KeySql.SetKey(parameters, idempotency);
                }
            })
        {
            // A new id conflicts with no other statement; a key may be in use concurrently.
            IsBatchable = idempotency is null,
        };
        var deleteExpired = idempotency is null
            ? null : new PostgresChange(DeleteExpired, parameters => KeySql.SetExpiry(parameters, idempotency.Created));
        try
        {
            await calls.ChangeAsync(insert, deleteExpired, cancel);
            return insert.RowCount == 1;
        }
        catch (PostgresException error) when (
            idempotency is not null && error.SqlState == PostgresErrorCodes.UniqueViolation
            && error.ConstraintName == IdIsTaken)
        {
            return false;
        }
    }

    public async ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        var hasReplica = calls.HasReplica;
        var find = PostgresQuery.Find(
            hasReplica ? FindKeyAndPosition : KeySql.Find,
            new("@key", key),
            row => (Create: KeySql.Read(row), Position: hasReplica ? $"{row.GetValue(row.FieldCount - 1)}" : null));
        await calls.ReadAsync(find, request: null, cancel);
        if (find.Rows is not [var (create, position)])
        {
            return null;
        }
        // A retry gets the position as well, so that its client can read the task from a replica.
        StoreRequest.Current?.Position = position;
        return create;
    }

    public async ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel)
    {
        var find = PostgresQuery.Find(TaskSql.Find, new("@id", id), ReadTask);
        await calls.ReadAsync(find, StoreRequest.Current, cancel);
        return find.Rows is [var row] ? Served(row) : null;
    }

    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel)
    {
        // Captured here: later pages are read while the response is sent, outside of this context.
        var request = StoreRequest.Current;
        return KeysetPages.StreamAsync(
            query.After ?? "",
            async (after, limit, cancel) =>
            {
                var page = new PostgresQuery<Row>(
                    TaskSql.List(query), parameters => TaskSql.SetQuery(parameters, query, after, limit), ReadTask)
                {
                    CharactersOf = row => row.Task is null ? 0 : KeysetPages.CharactersOf(row.Task.Entry),
                };
                await calls.ReadAsync(page, request, cancel);
                var rows = page.Rows;
                var tasks = rows.Select(Served).OfType<StoredTask>().ToList();
                return new KeysetPage<StoredTask>(
                    tasks,
                    rows.LastOrDefault().Id,
                    rows.Count < limit && !page.IsCut,
                    page.Characters);
            },
            cancel);
    }

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) => KeysetPages.StreamAsync(
        TaskSql.AboveAllIds,
        async (before, limit, cancel) =>
        {
            var page = new PostgresQuery<string>(
                TaskSql.ListIdsDescending,
                parameters => TaskSql.SetBefore(parameters, before, limit),
                reader => reader.GetString(0));
            await calls.ReadAsync(page, request: null, cancel);
            var ids = page.Rows;
            return new KeysetPage<string>(ids, ids.LastOrDefault() ?? before, ids.Count < limit);
        },
        cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(TaskSql.Update, parameters => TaskSql.SetTask(parameters, task), task.Id, expected, cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(TaskSql.Delete, parameters => TaskSql.SetId(parameters, id), id, expected, cancel);

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        var problems = new PostgresQuery<string>(SelectProblems, _ => { }, reader => reader.GetString(0));
        await calls.ReadAsync(problems, request: null, cancel);
        ThrowIfAny(problems.Rows);
    }

    public ValueTask DisposeAsync() => calls.DisposeAsync();

    private async ValueTask<ErrorKind?> ChangeAsync(
        string sql,
        Action<SqlParameters> set,
        string id,
        TaskVersion? expected,
        CancellationToken cancel)
    {
        while (true)
        {
            var change = new PostgresChange(sql, set);
            if (expected is not null)
            {
                var find = new PostgresQuery<(Row Task, uint Version)>(
                    FindRow,
                    parameters => TaskSql.SetId(parameters, id),
                    reader => (ReadTask(reader), reader.GetFieldValue<uint>(reader.FieldCount - 1)));
                await calls.ReadAsync(find, request: null, cancel);
                var current = find.Rows is [var (row, _)] ? Served(row) : null;
                if (TaskTable.Refusal(current, expected) is { } refusal)
                {
                    StoreRequest.Current?.MustBeCurrent = true;
                    return refusal;
                }
                change = new PostgresChange(
                    sql + SameRow,
                    parameters =>
                    {
                        set(parameters);
                        parameters.Items.Add(
                            new NpgsqlParameter("@xmin", NpgsqlDbType.Xid) { Value = find.Rows[0].Version });
                    });
            }
            await calls.ChangeAsync(change, then: null, cancel);
            if (change.RowCount == 1)
            {
                return null;
            }
            if (expected is null)
            {
                return ErrorKind.TaskNotFound;
            }
            // A concurrent change won: retry with the current row.
        }
    }

    private static Row ReadTask(NpgsqlDataReader reader) => TaskSql.TryRead(reader, out var task, out var problem)
        ? new Row(task.Id, task, null) : new Row(reader.GetString(0), null, problem);

    /// <returns>Null when the row is invalid, which is logged.</returns>
    private StoredTask? Served(Row row)
    {
        if (row.Task is null)
        {
            logger.LogWarning("The row {Id} is not served: {Problem}", row.Id, row.Problem);
        }
        return row.Task;
    }

    private async Task MigrateAsync(CancellationToken cancel)
    {
        // A connection of its own, with a longer timeout for large migrations.
        var server = new NpgsqlConnectionStringBuilder(settings.Primary.ConnectionString)
        {
            Pooling = false,
            CommandTimeout = MigrationSecondsMax,
            // At the start no request is waiting, and the machine may be busy.
            Timeout = Math.Max(settings.Primary.Timeout, ConnectSecondsMax),
        };
        if (!PostgresSettings.IsOneServer(server))
        {
            server.TargetSessionAttributes = "primary";
        }
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync(cancel);
        if (connection.PostgresParameters["server_encoding"] is not "UTF8" and var encoding)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"the database is in {encoding}, not UTF8, which any text needs");
        }
        var migrations = Migrations.Embedded("postgres");
        if (isReadOnly)
        {
            SchemaVersion = await migrations.RequireCurrentAsync(connection);
            return;
        }
        SchemaVersion = await migrations.ApplyAsync(
            connection,
            BeginMigration,
            HasMigrations,
            isMigrateOnly ? null : Migrations.RequireMigrateOnly,
            logger,
            cancel);
        await using var select = new NpgsqlCommand(SelectProblems, connection);
        await using var reader = await select.ExecuteReaderAsync(cancel);
        var problems = new List<string>();
        while (await reader.ReadAsync(cancel))
        {
            problems.Add(reader.GetString(0));
        }
        ThrowIfAny(problems);
    }

    private static void ThrowIfAny(List<string> problems)
    {
        if (problems.Count > 0)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, string.Join(", ", problems));
        }
    }

    /// <param name="Id">As it stands in the table.</param>
    /// <param name="Task">Null when the row is invalid.</param>
    /// <param name="Problem">Why it is invalid.</param>
    private readonly record struct Row(string Id, StoredTask? Task, string? Problem);
}
