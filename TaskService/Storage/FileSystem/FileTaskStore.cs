using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Keeps one readable JSON file per task in a directory, as the tutorial did. All files are read at start; a change is
/// written to a temporary file, synced, renamed, and the directory synced, before it is visible or acknowledged.
/// </summary>
/// <param name="directory">Holds the files.</param>
/// <param name="logger">Gets files that are not served, and abandoned writes that failed.</param>
/// <param name="sync">Syncs a file or a directory to the disk, if not <see cref="Durable.Sync"/>.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
internal sealed partial class FileTaskStore(
    string directory,
    ILogger<FileTaskStore> logger,
    Action<SafeFileHandle>? sync = null,
    bool isReadOnly = false) : ITaskStore
{
    private const string Suffix = ".json";
    private const string LockName = ".lock";
    private const int Stripes = 256;

    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(10);

    private readonly TaskTable table = new();
    // Ids of all files in the directory, served or not. A file system may treat names that differ in case only as one.
    private readonly ConcurrentDictionary<string, bool> taken = new(StringComparer.OrdinalIgnoreCase);
    private readonly SemaphoreSlim[] stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1))];
    private readonly DiskThreads threads = new(logger);
    private int isDisposed;
    private FileStream? lockFile;
    private DurableDirectory? files;
    private FileKeys? keys;

    public long? Revision => table.Revision;

    public string Place { get; } = Path.GetFullPath(directory);

    public static Func<StoreSetup, ITaskStore> Read(ConfigSection section, string key)
    {
        var directory = section.Text(key, "");
        if (directory.Length == 0)
        {
            section.Problem(key, "must name a directory");
        }
        return setup => new FileTaskStore(
            directory, setup.Loggers.CreateLogger<FileTaskStore>(), isReadOnly: setup.IsReadOnly);
    }

    public Task OpenAsync(CancellationToken cancel)
    {
        try
        {
            if (File.Exists(Place))
            {
                throw new IOException("it is a file");
            }
            if (isReadOnly)
            {
                OpenToRead(cancel);
            }
            else
            {
                OpenToChange(cancel);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"task-db.fs: {directory} is not a usable directory: {error.Message}",
                error);
        }
        return Task.CompletedTask;
    }

    public ValueTask<StoredTask?> FindAsync(string id, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Find(id));
    }

    public IAsyncEnumerable<StoredTask> ListAsync(TaskQuery query, CancellationToken cancel) =>
        table.ListAsync(query, cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        table.ListIdsDescendingAsync(cancel);

    public async ValueTask<bool> CreateAsync(StoredTask task, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        if (idempotency is null)
        {
            return await ChangeAsync(task.Id, () => Create(task), cancel);
        }
        var end = keys!.Begin(idempotency);
        try
        {
            return await ChangeAsync(task.Id, () => Create(task, idempotency, end), cancel);
        }
        catch (OperationCanceledException)
        {
            // The create never began.
            keys.End(idempotency, end);
            throw;
        }
    }

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return keys!.FindAsync(key, cancel);
    }

    public ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(task.Id, () => Update(task, expected), cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel) =>
        ChangeAsync(id, () => Delete(id, expected), cancel);

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        files!.ThrowIfFailed();
        keys!.ThrowIfFailed();
        await threads.RunAsync(Check, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            return;
        }
        using var limit = new CancellationTokenSource(ClosingTimeMax);
        try
        {
            // A stripe is held by a change in progress, even if its request has ended.
            foreach (var stripe in stripes)
            {
                await stripe.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException)
        {
            logger.LogError("Changes in {Directory} do not end; it stays locked until the process ends", directory);
            return;
        }
        threads.Dispose();
        keys?.Dispose();
        files?.Dispose();
        lockFile?.Dispose();
    }

    private void OpenToChange(CancellationToken cancel)
    {
        Durable.CreateDirectory(Place);
        lockFile = OpenLock(Path.Combine(Place, LockName));
        files = new DurableDirectory(Place, sync ?? Durable.Sync);
        Load(Place, cancel);
        var keyFiles = new DurableDirectory(Path.Combine(Place, ".keys"), sync ?? Durable.Sync);
        keys = new FileKeys(keyFiles, id => table.Find(id) is not null, logger);
    }

    private void OpenToRead(CancellationToken cancel)
    {
        if (!Directory.Exists(Place))
        {
            throw new IOException("there is no such directory");
        }
        var lockPath = Path.Combine(Place, LockName);
        if (File.Exists(lockPath))
        {
            // A shared lock: other readers are allowed, a service cannot start meanwhile.
            lockFile = OpenLock(lockPath, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        Load(Place, cancel);
        if (lockFile is null && taken.Keys.All(id => table.Find(id) is null))
        {
            throw new IOException($"it holds neither tasks nor the {LockName} of a service");
        }
    }

    private static FileStream OpenLock(string path, FileMode mode, FileAccess access, FileShare share)
    {
        try
        {
            return new FileStream(path, mode, access, share);
        }
        catch (IOException error) when (DiskErrors.IsLocked(error))
        {
            throw new IOException($"another process uses it ({Path.GetFileName(path)} is locked)", error);
        }
    }

    private static FileStream OpenLock(string path)
    {
        var file = OpenLock(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        if (!IsLocked(path))
        {
            file.Dispose();
            throw new IOException("files cannot be locked there, so that another process could use it as well");
        }
        return file;
    }

    /// <exception cref="IOException">The file cannot be opened for another reason.</exception>
    private static bool IsLocked(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException error) when (DiskErrors.IsLocked(error))
        {
            return true;
        }
    }

    /// <summary>Waits for other changes of this id (a striped lock), and runs this one on a disk thread.</summary>
    /// <exception cref="OperationCanceledException">The change never began.</exception>
    private async ValueTask<T> ChangeAsync<T>(string id, Func<T> change, CancellationToken cancel)
    {
        var stripe = stripes[(uint)string.GetHashCode(id, StringComparison.OrdinalIgnoreCase) % Stripes];
        await stripe.WaitAsync(cancel);
        try
        {
            return await threads.RunAsync(ChangeAndRelease, cancel);
        }
        catch (OperationCanceledException)
        {
            stripe.Release();
            throw;
        }

        T ChangeAndRelease()
        {
            // An abandoned write holds the stripe until it ends.
            try
            {
                return change();
            }
            finally
            {
                stripe.Release();
            }
        }
    }

    private bool Create(StoredTask task)
    {
        if (taken.ContainsKey(task.Id))
        {
            return false;
        }
        Write(task);
        taken[task.Id] = true;
        return table.Add(task);
    }

    private bool Create(StoredTask task, IdempotencyRecord idempotency, TaskCompletionSource end)
    {
        try
        {
            if (taken.ContainsKey(task.Id))
            {
                return false;
            }
            keys!.Write(idempotency);
            Create(task);
            keys.Add(idempotency);
            return true;
        }
        catch (StorageException) when (!files!.Exists(task.Id + Suffix))
        {
            keys!.Withdraw(idempotency);
            throw;
        }
        finally
        {
            keys!.End(idempotency, end);
        }
    }

    private ErrorKind? Update(StoredTask task, TaskVersion? expected)
    {
        if (TaskTable.Refusal(table.Find(task.Id), expected) is { } refusal)
        {
            return refusal;
        }
        Write(task);
        return table.Replace(task, expected: null);
    }

    private ErrorKind? Delete(string id, TaskVersion? expected)
    {
        if (TaskTable.Refusal(table.Find(id), expected) is { } refusal)
        {
            return refusal;
        }
        keys!.Confirm(id);
        files!.Delete(id + Suffix);
        taken.TryRemove(id, out _);
        return table.Remove(id, expected: null);
    }

    private void Write(StoredTask task) => files!.Write(
        task.Id + Suffix,
        JsonSerializer.SerializeToUtf8Bytes(TaskRow.FromDomain(task.Entry), TaskRowJson.File.TaskRow));

    /// <summary>Checks that the lock file and both directories are still there and writable.</summary>
    private bool Check()
    {
        try
        {
            files!.RequireInPlace();
            keys!.RequireInPlace();
            if (!IsLocked(Path.Combine(files.Path, LockName)))
            {
                throw new IOException($"{LockName} is not the file that was locked at the start");
            }
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw files!.Unavailable(error);
        }
    }
}
