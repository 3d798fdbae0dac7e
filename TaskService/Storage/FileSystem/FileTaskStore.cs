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
    private const int Stripes = 256;

    private readonly TaskTable table = new();
    private readonly HashSet<string> foreign = new(StringComparer.OrdinalIgnoreCase);
    private readonly SemaphoreSlim[] stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1))];
    private readonly DiskThreads threads = new();
    private FileStream? lockFile;
    private DurableDirectory? files;
    private FileKeys? keys;

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
            files = new DurableDirectory(path, threads);
            Load(path, cancel);
            keys = new FileKeys(Path.Combine(path, ".keys"), threads, id => table.Find(id) is not null);
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

    public async ValueTask<bool> CreateAsync(StoredTask task, RememberedCreate? remember, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(task.Id, cancel);
        if (table.Find(task.Id) is not null || foreign.Contains(task.Id))
        {
            return false;
        }
        if (remember is null)
        {
            await WriteAsync(task);
        }
        else
        {
            await keys!.WriteAsync(remember);
            await WriteAsync(task);
            keys.Confirm(remember);
        }
        return table.Add(task);
    }

    public ValueTask<RememberedCreate?> FindKeyAsync(string key, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(keys!.Find(key));
    }

    public async ValueTask<ErrorKind?> UpdateAsync(StoredTask task, TaskVersion? expected, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(task.Id, cancel);
        if (TaskTable.Refusal(table.Find(task.Id), expected) is { } refusal)
        {
            return refusal;
        }
        await WriteAsync(task);
        return table.Replace(task, expected: null);
    }

    public async ValueTask<ErrorKind?> DeleteAsync(string id, TaskVersion? expected, CancellationToken cancel)
    {
        using var turn = await TakeTurnAsync(id, cancel);
        if (TaskTable.Refusal(table.Find(id), expected) is { } refusal)
        {
            return refusal;
        }
        await keys!.SyncAsync();
        await files!.DeleteAsync(id + Suffix);
        return table.Remove(id, expected: null);
    }

    public ValueTask PingAsync(CancellationToken cancel)
    {
        files!.ThrowIfFailed();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        threads.Dispose();
        keys?.Dispose();
        files?.Dispose();
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
        catch (IOException error) when (DiskErrors.IsLocked(error))
        {
            throw new IOException($"another process uses it ({Path.GetFileName(path)} is locked)", error);
        }
    }

    private Task WriteAsync(StoredTask task) => files!.WriteAsync(
        task.Id + Suffix,
        JsonSerializer.SerializeToUtf8Bytes(TaskRow.FromDomain(task.Entry), TaskRowJson.File.TaskRow));

    /// <summary>Waits until no other change of this id is under way. From then on the change is finished.</summary>
    private async ValueTask<Turn> TakeTurnAsync(string id, CancellationToken cancel)
    {
        var stripe = stripes[(uint)string.GetHashCode(id, StringComparison.OrdinalIgnoreCase) % Stripes];
        await stripe.WaitAsync(cancel);
        return new Turn(stripe);
    }

    private readonly record struct Turn(SemaphoreSlim Stripe) : IDisposable
    {
        public void Dispose() => Stripe.Release();
    }
}
