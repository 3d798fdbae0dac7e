using System.Data.Common;
using Npgsql;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Keeps entities in tables of PostgreSQL: changes go to the primary, reads to a replica where there is one. Each
/// change is one statement, so that no transaction is held open, and other programs may use the same tables.
/// </summary>
/// <param name="settings">The servers and the routing of reads.</param>
/// <param name="serviceName">Sent as <c>application_name</c>.</param>
/// <param name="loggers">For this engine and for Npgsql.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
/// <param name="isMigrateOnly">As <see cref="StoreSetup.IsMigrateOnly"/>.</param>
internal sealed class PostgresEngine(
    PostgresSettings settings,
    string serviceName,
    ILoggerFactory loggers,
    bool isReadOnly = false,
    bool isMigrateOnly = false) : IEngine
{
    // Of a migration, and of the count of a large table.
    private const int ToolSecondsMax = 3_600;
    private const int ConnectSecondsMax = 15;

    // An arbitrary lock number, so that other programs do not use it by accident.
    private const string BeginMigration =
        "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7310600731854951)";

    private const string HasMigrations = "SELECT to_regclass('schema_migrations') IS NOT NULL";

    private readonly ILogger logger = loggers.CreateLogger<PostgresEngine>();
    private readonly List<string> tables = ["idempotency_keys"];
    private readonly PostgresCalls calls = new(settings, serviceName, loggers);

    public string? SchemaVersion { get; private set; }

    public IReadOnlyList<StorageCheck> Checks { get; } = new PostgresChecks(settings, serviceName).All;

    public ISqlProfiler Profiler => calls.Profiler;

    public SqlDatabase Database => new(
        OpenReadOnlyAsync,
        "SELECT current_schema()",
        "SELECT 1 FROM pg_namespace WHERE nspname = @schema",
        "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            + " WHERE nspname = @schema AND relkind IN ('r', 'p') ORDER BY relname");

    // The reasons why changes are not accepted, one per row. A missing table is an error.
    private string SelectProblems =>
        "SELECT 'its transactions are read-only' WHERE current_setting('transaction_read_only')::bool UNION ALL"
        + " SELECT format('the role %s has no right to %s on %s', current_user, verb, name)"
        + $" FROM unnest(array['{string.Join("', '", tables)}']) name,"
        + " unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) verb WHERE NOT has_table_privilege(name, verb)";

    public static Func<StoreSetup, IEngine>? Read(ConfigSection section, string key) =>
        PostgresSettings.Read(section.Section(key)) is not { } settings
            ? null
            : setup => new PostgresEngine(
                settings, setup.ServiceName, setup.Loggers, setup.IsReadOnly, setup.IsMigrateOnly);

    public IStore<T> Store<T>(Entity<T> entity)
        where T : class, IContent
    {
        tables.Insert(0, entity.Table);
        return new PostgresStore<T>(calls, entity, logger);
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

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        var problems = new PostgresQuery<string>(SelectProblems, _ => { }, reader => reader.GetString(0));
        await calls.ReadAsync(problems, request: null, cancel);
        ThrowIfAny(problems.Rows);
    }

    public ValueTask DisposeAsync() => calls.DisposeAsync();

    private async Task MigrateAsync(CancellationToken cancel)
    {
        // A connection of its own, with a longer timeout for large migrations.
        var server = PostgresSettings.Unpooled(settings.Primary, "primary");
        server.CommandTimeout = ToolSecondsMax;
        // At the start no request is waiting, and the machine may be busy.
        server.Timeout = Math.Max(settings.Primary.Timeout, ConnectSecondsMax);
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

    private async Task<DbConnection> OpenReadOnlyAsync(CancellationToken cancel)
    {
        var server = PostgresSettings.Unpooled(settings.Replica ?? settings.Primary, "prefer-standby");
        server.CommandTimeout = ToolSecondsMax;
        var connection = new NpgsqlConnection(server.ConnectionString);
        try
        {
            await connection.OpenAsync(cancel);
            await using var set = new NpgsqlCommand(
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", connection);
            await set.ExecuteNonQueryAsync(cancel);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static void ThrowIfAny(List<string> problems)
    {
        if (problems.Count > 0)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, string.Join(", ", problems));
        }
    }
}
