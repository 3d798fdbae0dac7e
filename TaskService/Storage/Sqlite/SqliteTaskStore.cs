using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using Microsoft.Data.Sqlite;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Keeps tasks in a table of one file, with a write-ahead log beside it. One writer commits queued changes in batches;
/// reads are concurrent. Other processes on the same machine may use the file at the same time.
/// </summary>
/// <param name="file">Created if it is missing.</param>
/// <param name="logger">Gets rows that are not served, and abandoned writes that failed.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
internal sealed class SqliteTaskStore(string file, ILogger<SqliteTaskStore> logger, bool isReadOnly = false)
    : ITaskStore
{
    /// <summary>Creates with keys between two deletions of expired keys.</summary>
    private const int ExpiryItems = 100;

    private const string HasMigrations =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations')";

    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(10);
    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> NotServed = Meter.CreateCounter<long>(
        "taskservice.storage.rows.not_served", "{row}", "Rows that broke a rule of the domain when they were read.");

    private readonly string path = Path.GetFullPath(file);
    // Creates in progress, by their keys.
    private readonly ConcurrentDictionary<string, Task> unfinished = new(StringComparer.Ordinal);
    private SqliteReaders? readers;
    private SqliteWriter? writer;
    private int createsUntilExpiry;
    private int isDisposed;

    /// <summary>
    /// Null, since another process may change the tasks. <c>PRAGMA data_version</c> detects that per connection, but
    /// costs the same lock and file access as a short list.
    /// </summary>
    public long? Revision => null;

    public string? SchemaVersion { get; private set; }

    public string Place => path;

    public static Func<StoreSetup, ITaskStore> Read(ConfigSection section, string key)
    {
        var file = section.Text(key, "");
        if (file.Length == 0)
        {
            section.Problem(key, "must name a file");
        }
        return setup => new SqliteTaskStore(
            file, setup.Loggers.CreateLogger<SqliteTaskStore>(), setup.IsReadOnly);
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
            readers = new SqliteReaders(path, identity, isReadOnly);
            if (isReadOnly)
            {
                session.Dispose();
                return;
            }
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

    public async ValueTask<bool> CreateAsync(
        StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var change = writer!.Begin(session => Create(session, task, idempotency));
        if (idempotency is not null)
        {
            unfinished[idempotency.Key] = change.Ended;
            _ = ForgetAsync(idempotency.Key, change.Ended);
        }
        return await change.WaitAsync(cancel);
    }

    public async ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        if (unfinished.TryGetValue(key, out var ended))
        {
            await Task.WhenAny(ended).WaitAsync(cancel);
        }
        return await readers!.ReadAsync(session => FindKey(session, key), cancel);
    }

    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel) =>
        readers!.ReadAsync(session => Find(session, id), cancel);

    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        KeysetPages.StreamAsync(
            query.After ?? "",
            (after, items, cancelPage) => readers!.ReadAsync(
                session => ReadPage(session, query, after, items), cancelPage),
            cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        KeysetPages.StreamAsync(
            TaskSql.AboveAllIds,
            (before, items, cancelPage) => readers!.ReadAsync(
                session => ReadIds(session, before, items), cancelPage),
            cancel);

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(
            task.Id, expected, TaskSql.Update, command => TaskSql.SetTask(command, task), cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(id, expected, TaskSql.Delete, command => TaskSql.SetId(command, id), cancel);

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
        new TutorialTable(session, path, backup, logger).TakeOver();
        Probe(session, isWriting: false);
        identity.WatchLog();
    }

    /// <exception cref="StorageException">The file needs a migration first, or is not of this service.</exception>
    private async Task CheckSourceAsync(SqliteSession session)
    {
        if (TutorialTable.Exists(session))
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                "it has a table of the tutorial, whose tasks --migrate-only or a start of the service takes over");
        }
        if (session.Scalar("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'") is null)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, "it is not a database of this service");
        }
        SchemaVersion = await Migrations.Embedded("sqlite").RequireCurrentAsync(session.Connection);
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

    private async Task ForgetAsync(string key, Task ended)
    {
        await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        unfinished.TryRemove(KeyValuePair.Create(key, ended));
    }

    private async ValueTask<ErrorKind?> ChangeAsync(
        string id, TaskVersion? expected, string sql, Action<DbCommand> set, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var change = writer!.Begin(session =>
        {
            // The transaction holds the write lock: no other write comes between the read and the change.
            var refusal = TaskTable.Refusal(Find(session, id), expected);
            if (refusal is null)
            {
                session.Execute(sql, set);
            }
            return refusal;
        });
        return await change.WaitAsync(cancel);
    }

    /// <summary>Readiness probe: checks that changes can be made.</summary>
    /// <param name="session">In a transaction that is to be committed, or that only reads.</param>
    /// <param name="isWriting">
    /// Whether to test the disk by a write, a row that is deleted again: after a failure, only a write shows recovery.
    /// </param>
    private bool Probe(SqliteSession session, bool isWriting)
    {
        // No task has this id, and no record this key.
        const string unused = "";
        Find(session, unused);
        FindKey(session, unused);
        if (isWriting)
        {
            var task = new StoredTask(unused, new TaskEntry { Title = "-" });
            session.Execute(TaskSql.Insert, command => TaskSql.SetTask(command, task));
            session.Execute(TaskSql.Delete, command => TaskSql.SetId(command, unused));
        }
        return true;
    }

    private bool Create(SqliteSession session, StoredTask task, IdempotencyRecord? idempotency)
    {
        if (idempotency is null)
        {
            return session.Execute(TaskSql.Insert, command => TaskSql.SetTask(command, task)) == 1;
        }
        if (FindKey(session, idempotency.Key) is { } known && !known.IsExpired(idempotency.Created))
        {
            // A retry with the key gets the result of the other process.
            throw new StorageException(
                ErrorKind.StorageUnavailable, "another process has made a task with this key meanwhile");
        }
        if (session.Execute(TaskSql.Insert, command => TaskSql.SetTask(command, task)) == 0)
        {
            return false;
        }
        session.Execute(KeySql.Insert, command => KeySql.SetKey(command, idempotency));
        if (--createsUntilExpiry <= 0)
        {
            createsUntilExpiry = ExpiryItems;
            session.Execute(KeySql.DeleteExpired, command => KeySql.SetExpiry(command, idempotency.Created));
        }
        return true;
    }

    private StoredTask? Find(SqliteSession session, string id)
    {
        StoredTask? task = null;
        session.Query(TaskSql.Find, command => TaskSql.SetId(command, id), row =>
        {
            TryRead(row, out task);
            return false;
        });
        return task;
    }

    private static IdempotencyRecord? FindKey(SqliteSession session, string key)
    {
        IdempotencyRecord? known = null;
        session.Query(KeySql.Find, command => KeySql.SetName(command, key), row =>
        {
            known = KeySql.Read(row);
            return false;
        });
        return known;
    }

    private KeysetPage<StoredTask> ReadPage(SqliteSession session, TaskQuery query, string after, int items)
    {
        var tasks = new List<StoredTask>(items);
        var (last, rows, characters) = (after, 0, 0);
        session.Query(TaskSql.List(query), command => TaskSql.SetQuery(command, query, after, items), row =>
        {
            last = row.GetString(0);
            rows++;
            if (TryRead(row, out var task))
            {
                tasks.Add(task);
                characters += KeysetPages.CharactersOf(task.Entry);
            }
            return characters < KeysetPages.CharactersMax;
        });
        var isWhole = characters < KeysetPages.CharactersMax;
        return new KeysetPage<StoredTask>(tasks, last, rows < items && isWhole, characters);
    }

    private static KeysetPage<string> ReadIds(SqliteSession session, string before, int items)
    {
        var ids = new List<string>(items);
        session.Query(TaskSql.ListIdsDescending, command => TaskSql.SetBefore(command, before, items), row =>
        {
            ids.Add(row.GetString(0));
            return true;
        });
        return new KeysetPage<string>(ids, ids.Count > 0 ? ids[^1] : before, ids.Count < items);
    }

    private bool TryRead(DbDataReader row, [NotNullWhen(true)] out StoredTask? task)
    {
        if (TaskSql.TryRead(row, out task, out var problem))
        {
            return true;
        }
        NotServed.Add(1);
        logger.LogWarning("Task {Id} in {File} is not served and not touched: {Reason}", row[0], file, problem);
        return false;
    }
}
