using System.Text.Json;
using TaskService.Configuration;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Keeps one readable JSON file a task in a directory, as the tutorial did. Files are read at start and are the truth;
/// a change is written to a temporary file, synced, renamed, and the directory synced, before it is seen or
/// acknowledged.
/// </summary>
internal sealed partial class FileTaskStore(string directory, ILogger<FileTaskStore> logger) : ITaskStore
{
    private const string Suffix = ".json";
    private const string TemporarySuffix = ".tmp";
    private const int Stripes = 256;

    private readonly TaskTable table = new();
    private readonly HashSet<string> foreign = new(StringComparer.OrdinalIgnoreCase);
    private readonly SemaphoreSlim[] stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1))];
    private FileStream? lockFile;
    private DirectorySync? directorySync;
    private long temporaryNumber;
    private volatile string? failure;

    public static Func<ILoggerFactory, ITaskStore> Read(ConfigSection section, string key)
    {
        var directory = section.Text(key, "");
        if (directory.Length == 0)
        {
            section.Problem(key, "must name a directory");
        }
        return loggers => new FileTaskStore(directory, loggers.CreateLogger<FileTaskStore>());
    }

    public Task OpenAsync(CancellationToken cancel)
    {
        try
        {
            var path = Path.GetFullPath(directory);
            if (File.Exists(path))
            {
                throw new IOException("it is a file");
            }
            Durable.CreateDirectory(path);
            lockFile = OpenLock(Path.Combine(path, ".lock"));
            directorySync = new DirectorySync(Durable.OpenDirectory(path));
            Load(path, cancel);
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

    public async ValueTask<bool> CreateAsync(StoredTask task, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(task.Id, cancel);
        if (table.Find(task.Id) is not null || foreign.Contains(task.Id))
        {
            return false;
        }
        await CommitAsync(() => Write(task));
        return table.Add(task);
    }

    public async ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(task.Id, cancel);
        if (TaskTable.Refusal(table.Find(task.Id), expected) is { } refusal)
        {
            return refusal;
        }
        await CommitAsync(() => Write(task));
        return table.Replace(task, expected: null);
    }

    public async ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(id, cancel);
        if (TaskTable.Refusal(table.Find(id), expected) is { } refusal)
        {
            return refusal;
        }
        await CommitAsync(() => File.Delete(PathOf(id)));
        return table.Remove(id, expected: null);
    }

    public ValueTask PingAsync(CancellationToken cancel)
    {
        ThrowIfFailed();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        directorySync?.Dispose();
        lockFile?.Dispose();
        foreach (var stripe in stripes)
        {
            stripe.Dispose();
        }
        return ValueTask.CompletedTask;
    }

    private static FileStream OpenLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error)
            when (error is not (DirectoryNotFoundException or FileNotFoundException) && File.Exists(path))
        {
            throw new IOException($"another process uses it ({Path.GetFileName(path)} is locked)", error);
        }
    }

    private string PathOf(string id) => Path.Combine(directory, id + Suffix);

    /// <summary>Waits until no other change of this id is under way. From then on the change is finished.</summary>
    private async ValueTask<Turn> TakeTurnAsync(string id, CancellationToken cancel)
    {
        var stripe = stripes[(uint)string.GetHashCode(id, StringComparison.OrdinalIgnoreCase) % Stripes];
        await stripe.WaitAsync(cancel);
        return new Turn(stripe);
    }

    /// <summary>Makes a change of the directory and does not return before it is durable.</summary>
    private async Task CommitAsync(Action change)
    {
        ThrowIfFailed();
        try
        {
            await Task.Run(change);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw DiskErrors.IsFull(error)
                ? new StorageException(ErrorKind.StorageFull, $"no room in {directory}", error)
                : new StorageException(
                    ErrorKind.StorageUnavailable, $"cannot write to {directory}: {error.Message}", error);
        }
        try
        {
            await directorySync!.SyncAsync();
        }
        catch (IOException error)
        {
            // Whether the change would survive a power cut is not known, and a second fsync would not tell.
            failure = $"{directory} is read-only until a restart, since its fsync failed: {error.Message}";
            throw new StorageException(ErrorKind.StorageUnavailable, failure, error);
        }
    }

    private void Write(StoredTask task)
    {
        var temporary = Path.Combine(
            directory, $".{task.Id}.{Interlocked.Increment(ref temporaryNumber)}{TemporarySuffix}");
        try
        {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(
                TaskRow.FromDomain(task.Entry), TaskRowJson.File.TaskRow);
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, bytes, 0);
                Durable.Sync(file);
            }
            File.Move(temporary, PathOf(task.Id), overwrite: true);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    private static void DeleteQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It failed once already; that error is the one to report. The next start removes what is left.
        }
    }

    private void ThrowIfFailed()
    {
        if (failure is { } message)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, message);
        }
    }

    private readonly record struct Turn(SemaphoreSlim Stripe) : IDisposable
    {
        public void Dispose() => Stripe.Release();
    }
}
