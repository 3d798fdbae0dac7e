using System.Text.RegularExpressions;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// A directory whose changes are on the disk when they are acknowledged: a file is written aside, synced, renamed,
/// and the
/// directory synced. When that last sync fails, nobody knows what the disk has, and it takes no more changes.
/// </summary>
internal sealed partial class DurableDirectory : IDisposable
{
    private readonly DirectorySync sync;
    private readonly DiskThreads threads;
    private long temporaryNumber;
    private volatile string? failure;

    /// <summary>Makes the directory if it is missing, and removes what a process left unfinished.</summary>
    /// <param name="path">Of the directory.</param>
    /// <param name="threads">Do the writing.</param>
    /// <exception cref="IOException">It cannot be used.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be used.</exception>
    public DurableDirectory(string path, DiskThreads threads)
    {
        Path = path;
        this.threads = threads;
        Durable.CreateDirectory(path);
        foreach (var unfinished in Directory.GetFiles(path).Where(file => Temporary().IsMatch(file)))
        {
            DeleteQuietly(unfinished);
        }
        sync = new DirectorySync(Durable.OpenDirectory(path));
    }

    public string Path { get; }

    /// <summary>Writes a file in place of any that has this name.</summary>
    /// <exception cref="StorageException">It is not known to be written, or there is no room and it is not.</exception>
    public Task WriteAsync(string name, byte[] content) => CommitAsync(() => Write(name, content));

    /// <exception cref="StorageException">It is not known to be gone.</exception>
    public Task DeleteAsync(string name) => CommitAsync(() => File.Delete(PathOf(name)));

    /// <summary>Makes durable what was renamed or deleted by other means.</summary>
    public Task SyncAsync() => CommitAsync(() => { });

    /// <exception cref="StorageException">It takes no more changes.</exception>
    public void ThrowIfFailed()
    {
        if (failure is { } message)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, message);
        }
    }

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => sync.Dispose();

    private Task CommitAsync(Action change) => threads.RunAsync(() => Commit(change));

    private void Commit(Action change)
    {
        ThrowIfFailed();
        try
        {
            change();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw DiskErrors.IsFull(error)
                ? new StorageException(ErrorKind.StorageFull, $"no room in {Path}", error)
                : new StorageException(ErrorKind.StorageUnavailable, $"cannot write to {Path}: {error.Message}", error);
        }
        try
        {
            sync.Sync();
        }
        catch (IOException error)
        {
            // Whether the change would survive a power cut is not known, and a second fsync would not tell.
            failure = $"{Path} is read-only until a restart, since its fsync failed: {error.Message}";
            throw new StorageException(ErrorKind.StorageUnavailable, failure, error);
        }
    }

    private void Write(string name, byte[] content)
    {
        var temporary = PathOf($".{name}.{Interlocked.Increment(ref temporaryNumber)}.tmp");
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, content, 0);
                Durable.Sync(file);
            }
            File.Move(temporary, PathOf(name), overwrite: true);
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
            // Where something failed already, that error is the one to report. The next start tries again.
        }
    }

    // Names that only we make.
    [GeneratedRegex(@"[/\\]\.[A-Za-z0-9-]+\.(json|pending)\.[0-9]+\.tmp$")]
    private static partial Regex Temporary();
}
