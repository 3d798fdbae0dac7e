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
/// statement, so that nothing is held open between two, and others may use the same table.
/// </summary>
/// <param name="settings">Where the servers are.</param>
/// <param name="serviceName">Stands in <c>application_name</c>.</param>
/// <param name="loggers">For this engine and for Npgsql.</param>
internal sealed class PostgresTaskStore(PostgresSettings settings, string serviceName, ILoggerFactory loggers)
    : ITaskStore
{
    private const int MigrationSecondsMax = 3_600;
    private const int ConnectSecondsMax = 15;

    // One that instances of this service take, and nobody else by accident.
    private const string BeginMigration =
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7310600731854951)";

    // Only of the row that was read: of several who change it, one wins, and nothing is locked until then.
    private const string SameRow = " AND xmin = @xmin";

    private static readonly string FindRow = TaskSql.Find.Replace(" FROM ", ", xmin FROM ", StringComparison.Ordinal);

    // The key first, since a task comes only with it.
    private static readonly string InsertWithKey =
        $"WITH added AS ({KeySql.Insert} RETURNING key) {TaskSql.InsertFrom("added")}";

    // A key that another change is removing already needs nobody to wait for it.
    private static readonly string DeleteExpired = KeySql.DeleteExpired.Replace(
        "LIMIT @limit", "LIMIT @limit FOR UPDATE SKIP LOCKED", StringComparison.Ordinal);

    private readonly ILogger logger = loggers.CreateLogger<PostgresTaskStore>();
    private readonly PostgresServers servers = new(settings, PostgresCalls.ToName(serviceName), loggers);

    private PostgresCalls Calls => field ??= new(servers, settings, PostgresCalls.ToName(serviceName), logger);

    public long? Revision => null;

    public string? SchemaVersion { get; private set; }

    public bool LooksAtRequests => servers.HasReplica;

    public static Func<StoreSetup, ITaskStore> Read(ConfigSection section, string key)
    {
        var settings = PostgresSettings.Read(section.Section(key));
        return setup => settings is null
            ? new MemoryTaskStore()
            : new PostgresTaskStore(settings, setup.ServiceName, setup.Loggers);
    }

    public async Task OpenAsync(CancellationToken cancel)
    {
        try
        {
            await MigrateAsync(cancel);
        }
        catch (Exception error) when (error is DbException or StorageException or TimeoutException or IOException)
        {
            var hosts = string.Join(", ", PostgresSettings.Hosts(settings.Primary));
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"task-db.postgres: {hosts} cannot be used: {PostgresErrors.Reason(error)}",
                error);
        }
    }

    public async ValueTask<bool> CreateAsync(
        StoredTask task, RememberedCreate? remember, CancellationToken cancel)
    {
        var insert = new NpgsqlBatchCommand(remember is null ? TaskSql.Insert : InsertWithKey);
        TaskSql.SetTask(insert, task);
        NpgsqlBatchCommand? tidy = null;
        if (remember is not null)
        {
            KeySql.SetKey(insert, remember);
            tidy = new NpgsqlBatchCommand(DeleteExpired);
            KeySql.SetExpiry(tidy, remember.Created);
        }
        try
        {
            return await Calls.ChangeAsync(insert, tidy, cancel) == 1;
        }
        catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }

    public async ValueTask<RememberedCreate?> FindKeyAsync(string key, CancellationToken cancel)
    {
        var found = await Calls.ReadPrimaryAsync(
            () => Statement(KeySql.Find, ("@key", DbType.String, key)), KeySql.Read, cancel);
        return found is [var create] ? create : null;
    }

    public async ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel)
    {
        var found = await Calls.ReadAsync(
            () => Statement(TaskSql.Find, ("@id", DbType.String, id)), ReadTask, StoreRequest.Current, cancel);
        return found is [(_, { } task)] ? task : null;
    }

    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel)
    {
        // Later pages are asked for by whoever sends the answer, which is for the same request.
        var request = StoreRequest.Current;
        return KeysetPages.WalkAsync(
            query.After ?? "",
            async (after, limit, cancel) =>
            {
                var rows = await Calls.ReadAsync(() => List(query, after, limit), ReadTask, request, cancel);
                var tasks = rows.Where(row => row.Task is not null).Select(row => row.Task!).ToList();
                return new KeysetPage<StoredTask>(tasks, rows.LastOrDefault().Id, rows.Count < limit);
            },
            cancel);
    }

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) => KeysetPages.WalkAsync(
        TaskSql.AboveAllIds,
        async (before, limit, cancel) =>
        {
            var ids = await Calls.ReadPrimaryAsync(
                () => Statement(
                    TaskSql.ListIdsDescending, ("@before", DbType.String, before), ("@limit", DbType.Int32, limit)),
                reader => reader.GetString(0),
                cancel);
            return new KeysetPage<string>(ids, ids.LastOrDefault() ?? before, ids.Count < limit);
        },
        cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(TaskSql.Update, change => TaskSql.SetTask(change, task), task.Id, expected, cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(
            TaskSql.Delete, change => TaskSql.Set(change, "@id", DbType.String, id), id, expected, cancel);

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        var isReadOnly = await Calls.ReadPrimaryAsync(
            () => new NpgsqlBatchCommand("SELECT current_setting('transaction_read_only')::bool"),
            reader => reader.GetBoolean(0),
            cancel);
        if (isReadOnly is [true])
        {
            throw new StorageException(ErrorKind.StorageUnavailable, "the primary is read-only");
        }
    }

    public ValueTask DisposeAsync() => servers.DisposeAsync();

    private static NpgsqlBatchCommand Statement(
        string sql, params ReadOnlySpan<(string Name, DbType Type, object Value)> parameters)
    {
        var statement = new NpgsqlBatchCommand(sql);
        foreach (var (name, type, value) in parameters)
        {
            TaskSql.Set(statement, name, type, value);
        }
        return statement;
    }

    private static NpgsqlBatchCommand List(TaskQuery query, string after, int limit)
    {
        var list = new NpgsqlBatchCommand(TaskSql.List(query));
        TaskSql.SetQuery(list, query, after, limit);
        return list;
    }

    private async ValueTask<ErrorKind?> ChangeAsync(
        string sql,
        Action<NpgsqlBatchCommand> set,
        string id,
        TaskVersion? expected,
        CancellationToken cancel)
    {
        while (true)
        {
            var change = new NpgsqlBatchCommand(sql);
            set(change);
            if (expected is not null)
            {
                var found = await Calls.ReadPrimaryAsync(
                    () => Statement(FindRow, ("@id", DbType.String, id)),
                    reader => (ReadTask(reader).Task, Row: reader.GetFieldValue<uint>(reader.FieldCount - 1)),
                    cancel);
                var (current, row) = found.FirstOrDefault();
                if (TaskTable.Refusal(current, expected) is { } refusal)
                {
                    StoreRequest.Current?.MustBeCurrent = true;
                    return refusal;
                }
                change.CommandText += SameRow;
                change.Parameters.Add(new NpgsqlParameter("@xmin", NpgsqlDbType.Xid) { Value = row });
            }
            if (await Calls.ChangeAsync(change, then: null, cancel) == 1)
            {
                return null;
            }
            if (expected is null)
            {
                return ErrorKind.TaskNotFound;
            }
            // Someone else was faster: what is there now is looked at anew.
        }
    }

    /// <returns>No task when the row is none, which is reported.</returns>
    private (string Id, StoredTask? Task) ReadTask(NpgsqlDataReader reader)
    {
        if (TaskSql.TryRead(reader, out var task, out var problem))
        {
            return (task.Id, task);
        }
        var id = reader.GetString(0);
        logger.LogWarning("The row {Id} is not served: {Problem}", id, problem);
        return (id, null);
    }

    private async Task MigrateAsync(CancellationToken cancel)
    {
        // A connection of its own, on which a large step may take its time.
        var server = new NpgsqlConnectionStringBuilder(settings.Primary.ConnectionString)
        {
            Pooling = false,
            CommandTimeout = MigrationSecondsMax,
            // Nobody waits for an answer yet, and a machine that starts is busy.
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
        SchemaVersion = await Migrations.Embedded("postgres").ApplyAsync(connection, BeginMigration, logger, cancel);
    }
}
