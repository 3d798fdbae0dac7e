using System.Data.Common;
using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Keeps entities in tables of one file, with a write-ahead log beside it. One writer commits queued changes in
/// batches, whatever their table; reads are concurrent. Other processes on the same machine may use the file at the
/// same time.
/// </summary>
/// <param name="file">Created if it is missing.</param>
/// <param name="import">Imports data of before there was a schema; null for none.</param>
/// <param name="loggers">For rows that are not served, abandoned writes that failed, and the plans of queries.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
internal sealed class SqliteEngine(
    string file, ISqliteImport? import, ILoggerFactory loggers, bool isReadOnly = false) : IEngine
{
    private const string HasMigrations =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations')";

    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(10);
    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> NotServed = Meter.CreateCounter<long>(
        "taskservice.storage.rows.not_served", "{row}", "Rows that broke a rule of the domain when they were read.");

    private readonly string path = Path.GetFullPath(file);
    private readonly ILogger logger = loggers.CreateLogger<SqliteEngine>();
    private readonly List<(string Find, string InsertCopy, string Delete)> probes = [];
    // By the table of the parent, a statement that finds a child.
    private readonly List<(string Parent, string FindChild)> children = [];
    private SqliteReaders? readers;
    private SqliteWriter? writer;
    private int isDisposed;

    public string? SchemaVersion { get; private set; }

    public string Place => path;

    public IReadOnlyList<StorageCheck> Checks => [new("migrations", 2, CheckMigrationsAsync)];

    public ISqlProfiler? Profiler => readers?.Profiler;

    public SqlDatabase Database => new(
        _ => Task.FromResult<DbConnection>(new SqliteSession(path, isReadOnly: true).Connection),
        "SELECT 'main'",
        "SELECT 1 FROM pragma_database_list WHERE name = @schema",
        @"SELECT name FROM pragma_table_list WHERE schema = @schema AND type = 'table'"
            + @" AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name");

    public SqliteKeys Keys { get; } = new();

    public SqliteReaders Readers => readers!;

    public SqliteWriter Writer => writer!;

    public static Func<StoreSetup, IEngine> Read(ConfigSection section, string key, ISqliteImport? import)
    {
        var file = section.Text(key, "");
        if (file.Length == 0)
        {
            section.Problem(key, "must name a file");
        }
        return setup => new SqliteEngine(file, import, setup.Loggers, setup.IsReadOnly);
    }

    public IStore<T> Store<T>(Entity<T> entity)
        where T : class, IContent
    {
        probes.Add((entity.Sql.Find, entity.Sql.InsertCopy, entity.Sql.Delete));
        children.AddRange(entity.References.Select(
            reference => (reference.Table, Exists(entity.Table, reference.Column))));
        return new SqliteStore<T>(this, entity);
    }

    public async Task OpenAsync(CancellationToken cancel)
    {
        SqliteSession? session = null;
        try
        {
            if (!isReadOnly)
            {
                CreateDirectory();
            }
            else if (!File.Exists(path))
            {
                throw new IOException("there is no such file");
            }
            (session, var identity) = SqliteFileIdentity.Open(path, isReadOnly);
            await (isReadOnly ? CheckSourceAsync(session) : MigrateAsync(session, identity, cancel));
            readers = new SqliteReaders(path, identity, isReadOnly, loggers);
            if (isReadOnly)
            {
                session.Dispose();
                return;
            }
            session.Profiler = readers.Profiler;
            writer = new SqliteWriter(session, identity, path, logger);
            writer.Start();
        }
        catch (Exception error)
        {
            session?.Dispose();
            if (error is SqliteException or StorageException or IOException or UnauthorizedAccessException)
            {
                throw new StorageException(
                    ErrorKind.StorageUnavailable, $"task-db.sqlite: {file} cannot be opened: {error.Message}", error);
            }
            throw;
        }
    }

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var probe = writer!.Begin(session => Durable.IsReadOnlyFileSystem(path)
            ? throw new StorageException(ErrorKind.StorageUnavailable, $"{path} is on a read-only file system")
            : Probe(session, writer.HasFailed));
        await probe.WaitAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }
        try
        {
            await CloseAsync().WaitAsync(ClosingTimeMax);
        }
        catch (TimeoutException)
        {
            logger.LogError("Work on {File} does not end; it stays open until the process ends", file);
        }
    }

    /// <exception cref="IOException">The file, or its directory for the log, is not writable.</exception>
    private void CreateDirectory()
    {
        Durable.CreateDirectory(Path.GetDirectoryName(path)!);
        var target = path;
        if (File.Exists(path))
        {
            // Otherwise SQLite would read it, and leave a log beside it that belongs to this user.
            Durable.RequireWritable(path);
            target = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        Durable.RequireWritable(Path.GetDirectoryName(target)!);
    }

    private async Task MigrateAsync(SqliteSession session, SqliteFileIdentity identity, CancellationToken cancel)
    {
        if (session.Scalar("PRAGMA journal_mode = WAL") is not "wal")
        {
            throw new IOException("no write-ahead log can be kept there");
        }
        var backup = new SqliteBackup(identity, logger);
        SchemaVersion = await Migrations.Embedded("sqlite").ApplyAsync(
            session.Connection,
            "BEGIN IMMEDIATE",
            HasMigrations,
            step => backup.Make(Path.GetFileNameWithoutExtension(step.Name)),
            logger,
            cancel);
        import?.Run(session, path, backup, logger);
        Probe(session, isWriting: false);
        identity.WatchLog();
    }

    /// <exception cref="StorageException">The file needs a migration first, or is not of this service.</exception>
    private async Task CheckSourceAsync(SqliteSession session)
    {
        if (import?.IsNeeded(session) == true)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                "it has data of before this service, which --migrate-only or a start of the service imports");
        }
        if (session.Scalar("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'") is null)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, "it is not a database of this service");
        }
        SchemaVersion = await Migrations.Embedded("sqlite").RequireCurrentAsync(session.Connection);
    }

    private async Task CheckMigrationsAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        try
        {
            using var session = new SqliteSession(path, isReadOnly: true);
            await Migrations.Embedded("sqlite").RequireCurrentAsync(session.Connection);
        }
        catch (SqliteException error)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, error.Message, error);
        }
    }

    private async Task CloseAsync()
    {
        if (readers is not null)
        {
            await readers.DisposeAsync();
        }
        if (writer is not null)
        {
            // The last connection to close checkpoints the log into the file.
            await writer.DisposeAsync();
        }
    }

    /// <summary>A statement that has a row if there is one with an id in a column.</summary>
    public static string Exists(string table, string column) => $"SELECT 1 FROM {table} WHERE {column} = @id LIMIT 1";

    public static bool HasRow(SqliteSession session, string exists, string id)
    {
        var hasRow = false;
        session.Query(exists, command => ((SqlParameters)command).SetId(id), _ =>
        {
            hasRow = true;
            return false;
        });
        return hasRow;
    }

    /// <summary>Whether another value belongs to this one.</summary>
    public bool HasChildren(SqliteSession session, string table, string id) =>
        children.Exists(child => child.Parent == table && HasRow(session, child.FindChild, id));

    /// <summary>Reports a row that breaks a rule of the domain: another program wrote it.</summary>
    public void ReportNotServed(string table, string id, string problem)
    {
        NotServed.Add(1);
        logger.LogWarning(
            "Row {Id} of {Table} in {File} is not served and not touched: {Reason}", id, table, file, problem);
    }

    /// <summary>Readiness probe: checks that changes can be made.</summary>
    /// <param name="session">In a transaction that is to be committed, or that only reads.</param>
    /// <param name="isWriting">
    /// Whether to test the disk by a write, of rows that are deleted again: after a failure, only a write shows
    /// recovery.
    /// </param>
    private bool Probe(SqliteSession session, bool isWriting)
    {
        // No row has this id, and no record this key.
        const string unused = "";
        probes.ForEach(probe => HasRow(session, probe.Find, unused));
        SqliteKeys.Find(session, unused);
        if (isWriting)
        {
            SqliteKeys.Probe(session);
            foreach (var (_, insert, delete) in probes)
            {
                session.Execute(insert, command => ((SqlParameters)command).SetId(unused));
                session.Execute(delete, command => ((SqlParameters)command).SetId(unused));
            }
        }
        return true;
    }
}

/// <summary>Imports data of before there was a schema, once.</summary>
internal interface ISqliteImport
{
    /// <summary>Whether the file has such data.</summary>
    bool IsNeeded(SqliteSession session);

    /// <summary>Imports the data; does nothing when there is none.</summary>
    /// <param name="session">In no transaction.</param>
    /// <param name="path">Of the file.</param>
    /// <param name="backup">Copies the file, before data is removed.</param>
    /// <param name="logger">Gets what was imported, and what was not.</param>
    /// <exception cref="Microsoft.Data.Sqlite.SqliteException">The import failed; nothing was changed.</exception>
    /// <exception cref="StorageException">No backup can be made; nothing was changed.</exception>
    void Run(SqliteSession session, string path, SqliteBackup backup, ILogger logger);
}
