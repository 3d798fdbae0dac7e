using Microsoft.Win32.SafeHandles;

namespace TaskService.Storage.FileSystem;

/// <summary>Makes renames in a directory durable. Group commit: one fsync serves all that wait when it
/// begins.</summary>
/// <param name="directory">Null where directories cannot be synced (Windows).</param>
/// <param name="fsync">Syncs the directory to the disk.</param>
internal sealed class DirectorySync(SafeFileHandle? directory, Action<SafeFileHandle> fsync) : IDisposable
{
    private readonly object gate = new();
    private long requested;
    private long completed;
    private bool isRunning;
    private IOException? failure;

    /// <summary>Returns when all renames before the call are on the disk.</summary>
    /// <exception cref="IOException">They may not be.</exception>
    public void Sync()
    {
        if (directory is null)
        {
            return;
        }
        long upTo;
        lock (gate)
        {
            var mine = ++requested;
            while (isRunning && completed < mine)
            {
                Monitor.Wait(gate);
            }
            if (completed >= mine)
            {
                return;
            }
            if (failure is not null)
            {
                // A second fsync would succeed without having written what the failed one could not.
                throw new IOException(failure.Message, failure);
            }
            // Later callers may have renamed after this fsync began, and need the next one.
            (isRunning, upTo) = (true, requested);
        }
        SyncUpTo(upTo);
    }

    public void Dispose() => directory?.Dispose();

    private void SyncUpTo(long upTo)
    {
        IOException? error = null;
        try
        {
            fsync(directory!);
        }
        catch (IOException failed)
        {
            error = failed;
            throw;
        }
        finally
        {
            lock (gate)
            {
                (isRunning, failure) = (false, error);
                completed = error is null ? upTo : completed;
                Monitor.PulseAll(gate);
            }
        }
    }
}
