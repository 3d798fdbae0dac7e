using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// A directory with durable changes: a file is written to a temporary one, synced, renamed, and the directory synced.
/// When that last fsync fails, the state of the disk is unknown, and no more changes are accepted.
/// All members block on the disk.
/// </summary>
internal sealed partial class DurableDirectory : IDisposable
{
    private readonly Action<SafeFileHandle> syncFile;
    private readonly DirectorySync sync;
    // Writes go to the directory that was opened, not to another one that has taken its path since.
    private readonly string target;
    private readonly string? openedPath;
    private long temporaryNumber;
    private volatile string? failure;

    /// <summary>Creates the directory if it is missing, and removes temporary files of a dead process.</summary>
    /// <param name="path">Of the directory.</param>
    /// <param name="syncFile">Syncs a file or a directory to the disk: <see cref="Durable.Sync"/>.</param>
    /// <exception cref="IOException">It cannot be used.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be used.</exception>
    public DurableDirectory(string path, Action<SafeFileHandle> syncFile)
    {
        Path = path;
        this.syncFile = syncFile;
        Durable.CreateDirectory(path);
        Durable.RequireWritable(path);
        foreach (var unfinished in Directory.GetFiles(path).Where(file => Temporary().IsMatch(file)))
        {
            DeleteQuietly(unfinished);
        }
        var handle = Durable.OpenDirectory(path);
        var opened = $"/proc/self/fd/{handle?.DangerousGetHandle()}";
        openedPath = OperatingSystem.IsLinux() && Directory.Exists(opened) ? PathOfDescriptor(opened) : null;
        target = openedPath is null ? path : opened;
        sync = new DirectorySync(handle, syncFile);
    }

    public string Path { get; }

    /// <summary>
    /// Checks that the directory accepts changes: it still has its path (checked on Linux only) and is writable.
    /// </summary>
    /// <exception cref="IOException">It does not.</exception>
    public void RequireInPlace()
    {
        if (openedPath is not null && PathOfDescriptor(target) != openedPath)
        {
            throw new IOException($"{Path} is not the directory that was there at the start");
        }
        Durable.RequireWritable(target, Path);
    }

    /// <summary>Writes a file, or replaces the one with this name.</summary>
    /// <exception cref="StorageException">The outcome is unknown, or the disk is full and nothing was
    /// changed.</exception>
    public void Write(string name, byte[] content) => Commit(() => WriteAside(name, content));

    /// <exception cref="StorageException">The outcome is unknown.</exception>
    public void Delete(string name) => Commit(() => File.Delete(PathOf(name)));

    /// <exception cref="StorageException">The outcome of the rename is unknown.</exception>
    public void Rename(string name, string newName) =>
        Commit(() => File.Move(PathOf(name), PathOf(newName), overwrite: true));

    public bool Exists(string name) => File.Exists(PathOf(name));

    /// <summary>Deletes an obsolete file without a sync: it may be there again after a power cut.</summary>
    public void Forget(string name) => DeleteQuietly(PathOf(name));

    /// <exception cref="StorageException">The directory accepts no more changes.</exception>
    public void ThrowIfFailed()
    {
        if (failure is { } message)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, message);
        }
    }

    /// <summary>Wraps an error of this directory for the caller of a change.</summary>
    public StorageException Unavailable(Exception error) => new(
        ErrorKind.StorageUnavailable,
        $"cannot write to {Path}: {error.Message.Replace(target, Path, StringComparison.Ordinal)}",
        error);

    public void Dispose() => sync.Dispose();

    private static string? PathOfDescriptor(string opened) =>
        File.ResolveLinkTarget(opened, returnFinalTarget: false)?.FullName;

    private static void DeleteQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // After a failure, the first error is the one to report. The next start tries again.
        }
    }

    private string PathOf(string name) => System.IO.Path.Combine(target, name);

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
                : Unavailable(error);
        }
        try
        {
            sync.Sync();
        }
        catch (IOException error)
        {
            // Whether the change is durable is unknown, and a second fsync would not tell.
            failure = $"{Path} is read-only until a restart, since its fsync failed: {error.Message}";
            throw new StorageException(ErrorKind.StorageUnavailable, failure, error);
        }
    }

    private void WriteAside(string name, byte[] content)
    {
        var temporary = PathOf($".{name}.{Interlocked.Increment(ref temporaryNumber)}.tmp");
        try
        {
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, content, 0);
                syncFile(file);
            }
            File.Move(temporary, PathOf(name), overwrite: true);
        }
        catch
        {
            DeleteQuietly(temporary);
            throw;
        }
    }

    // Temporary files of WriteAside.
    [GeneratedRegex(@"[/\\]\.[A-Za-z0-9-]+\.(json|pending)\.[0-9]+\.tmp$")]
    private static partial Regex Temporary();
}
