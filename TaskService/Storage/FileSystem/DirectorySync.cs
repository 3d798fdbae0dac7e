using Microsoft.Win32.SafeHandles;

namespace TaskService.Storage.FileSystem;

/// <summary>Makes renames in a directory durable. One fsync serves all that wait when it begins.</summary>
/// <param name="directory">Null where the system needs no such thing (Windows).</param>
/// <param name="fsync">Puts the directory onto the disk.</param>
internal sealed class DirectorySync(SafeFileHandle? directory, Action<SafeFileHandle> fsync) : IDisposable
{
    private readonly object gate = new();
    private long asked;
    private long served;
    private bool isRunning;
    private IOException? failure;

    /// <summary>Returns when everything that was renamed before the call is on the disk.</summary>
    /// <exception cref="IOException">It may not be.</exception>
    public void Sync()
    {
        if (directory is null)
        {
            return;
        }
        long upTo;
        lock (gate)
        {
            var mine = ++asked;
            while (isRunning && served < mine)
            {
                Monitor.Wait(gate);
            }
            if (served >= mine)
            {
                return;
            }
            if (failure is not null)
            {
                // The next fsync would succeed without having done what the failed one could not.
                throw new IOException(failure.Message, failure);
            }
            // Who comes from now on may have renamed after the fsync began, and needs the next one.
            (isRunning, upTo) = (true, asked);
        }
        Lead(upTo);
    }

    public void Dispose() => directory?.Dispose();

    private void Lead(long upTo)
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
                served = error is null ? upTo : served;
                Monitor.PulseAll(gate);
            }
        }
    }
}
