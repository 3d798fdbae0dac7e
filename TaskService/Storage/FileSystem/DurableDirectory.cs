using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// A directory whose changes are on the disk when they are acknowledged: a file is written aside, synced, renamed, and
/// the directory synced. When that last sync fails, nobody knows what the disk has, and it takes no more changes.
/// All members wait for the disk.
/// </summary>
internal sealed partial class DurableDirectory : IDisposable
{
    private readonly Action<SafeFileHandle> syncFile;
    private readonly DirectorySync sync;
    // What is written goes into the directory that was opened, not into another that has its name by now.
    private readonly string target;
    private readonly string? place;
    private long temporaryNumber;
    private volatile string? failure;

    /// <summary>Makes the directory if it is missing, and removes what a process left unfinished.</summary>
    /// <param name="path">Of the directory.</param>
    /// <param name="syncFile">Puts a file or a directory onto the disk: <see cref="Durable.Sync"/>.</param>
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
        place = OperatingSystem.IsLinux() && Directory.Exists(opened) ? PlaceOf(opened) : null;
        target = place is null ? path : opened;
        sync = new DirectorySync(handle, syncFile);
    }

    public string Path { get; }

    /// <summary>
    /// Checks that it takes changes: it is still where it was, as far as the system can tell (Linux), and may be
    /// written to.
    /// </summary>
    /// <exception cref="IOException">It does not.</exception>
    public void RequireInPlace()
    {
        if (place is not null && PlaceOf(target) != place)
        {
            throw new IOException($"{Path} is not the directory that was there at the start");
        }
        Durable.RequireWritable(target, Path);
    }

    /// <summary>Writes a file in place of any that has this name.</summary>
    /// <exception cref="StorageException">It is not known to be written, or there is no room and it is not.</exception>
    public void Write(string name, byte[] content) => Commit(() => WriteAside(name, content));

    /// <exception cref="StorageException">It is not known to be gone.</exception>
    public void Delete(string name) => Commit(() => File.Delete(PathOf(name)));

    /// <exception cref="StorageException">It is not known to have the new name.</exception>
    public void Rename(string name, string newName) =>
        Commit(() => File.Move(PathOf(name), PathOf(newName), overwrite: true));

    public bool Exists(string name) => File.Exists(PathOf(name));

    /// <summary>Deletes a file that means nothing any more, and may be there again after a power cut.</summary>
    public void Forget(string name) => DeleteQuietly(PathOf(name));

    /// <exception cref="StorageException">It takes no more changes.</exception>
    public void ThrowIfFailed()
    {
        if (failure is { } message)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, message);
        }
    }

    /// <summary>What an error in this directory is to those who want to change something.</summary>
    public StorageException Unavailable(Exception error) => new(
        ErrorKind.StorageUnavailable,
        $"cannot write to {Path}: {error.Message.Replace(target, Path, StringComparison.Ordinal)}",
        error);

    public void Dispose() => sync.Dispose();

    private static string? PlaceOf(string opened) =>
        File.ResolveLinkTarget(opened, returnFinalTarget: false)?.FullName;

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
            // Whether the change would survive a power cut is not known, and a second fsync would not tell.
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

    // Names that only we make.
    [GeneratedRegex(@"[/\\]\.[A-Za-z0-9-]+\.(json|pending)\.[0-9]+\.tmp$")]
    private static partial Regex Temporary();
}
