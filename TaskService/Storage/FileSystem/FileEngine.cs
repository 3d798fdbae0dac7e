using Microsoft.Win32.SafeHandles;
using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Keeps one readable JSON file per value, as the tutorial did, in a directory for each entity. All files are read at
/// start; a change is written to a temporary file, synced, renamed, and the directory synced, before it is visible or
/// acknowledged.
/// </summary>
/// <param name="directory">Holds the files of one entity, and the directories of others.</param>
/// <param name="logger">Gets files that are not served, and abandoned writes that failed.</param>
/// <param name="sync">Syncs a file or a directory to the disk, if not <see cref="Durable.Sync"/>.</param>
/// <param name="isReadOnly">As <see cref="StoreSetup.IsReadOnly"/>.</param>
internal sealed class FileEngine(
    string directory,
    ILogger<FileEngine> logger,
    Action<SafeFileHandle>? sync = null,
    bool isReadOnly = false) : IEngine
{
    private const string LockName = ".lock";
    private const int Stripes = 256;

    private static readonly TimeSpan ClosingTimeMax = TimeSpan.FromSeconds(10);

    private readonly List<IFileStore> stores = [];
    private readonly SemaphoreSlim[] stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1))];
    private readonly DiskThreads threads = new(logger);
    private int isDisposed;
    private FileStream? lockFile;

    public string Place { get; } = Path.GetFullPath(directory);

    public ILogger Logger => logger;

    public References References { get; } = new();

    public static Func<StoreSetup, IEngine> Read(ConfigSection section, string key)
    {
        var directory = section.Text(key, "");
        if (directory.Length == 0)
        {
            section.Problem(key, "must name a directory");
        }
        return setup => new FileEngine(
            directory, setup.Loggers.CreateLogger<FileEngine>(), isReadOnly: setup.IsReadOnly);
    }

    public IStore<T> Store<T>(Entity<T> entity)
        where T : class, IContent
    {
        var store = new FileStore<T>(this, entity);
        stores.Add(store);
        return store;
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

    public async ValueTask PingAsync(CancellationToken cancel)
    {
        stores.ForEach(store => store.ThrowIfFailed());
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
        stores.ForEach(store => store.Dispose());
        lockFile?.Dispose();
    }

    private void OpenToChange(CancellationToken cancel)
    {
        Durable.CreateDirectory(Place);
        lockFile = OpenLock(Path.Combine(Place, LockName));
        stores.ForEach(store => store.OpenToChange(Place, sync ?? Durable.Sync, cancel));
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
        stores.ForEach(store => store.OpenToRead(Place, cancel));
        if (lockFile is null && stores.TrueForAll(store => store.IsEmpty))
        {
            throw new IOException($"it holds neither files of a service nor its {LockName}");
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
    public async ValueTask<T> ChangeAsync<T>(string id, Func<T> change, CancellationToken cancel)
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

    /// <summary>Checks that the lock file and all directories are still there and writable.</summary>
    private bool Check()
    {
        try
        {
            stores.ForEach(store => store.RequireInPlace());
            if (!IsLocked(Path.Combine(Place, LockName)))
            {
                throw new IOException($"{LockName} is not the file that was locked at the start");
            }
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"cannot write to {Place}: {error.Message}", error);
        }
    }
}

/// <summary>A store of an entity of any type.</summary>
internal interface IFileStore : IDisposable
{
    /// <summary>Whether it serves nothing.</summary>
    bool IsEmpty { get; }

    /// <summary>Creates the directory if it is missing, and loads it.</summary>
    /// <param name="root">The directory of the engine.</param>
    /// <param name="sync">Syncs a file or a directory to the disk.</param>
    /// <param name="cancel">Cancels the load.</param>
    void OpenToChange(string root, Action<SafeFileHandle> sync, CancellationToken cancel);

    /// <summary>Loads the directory, if it is there.</summary>
    void OpenToRead(string root, CancellationToken cancel);

    /// <inheritdoc cref="DurableDirectory.RequireInPlace"/>
    void RequireInPlace();

    /// <inheritdoc cref="DurableDirectory.ThrowIfFailed"/>
    void ThrowIfFailed();
}
