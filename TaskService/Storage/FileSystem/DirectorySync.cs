using Microsoft.Win32.SafeHandles;

namespace TaskService.Storage.FileSystem;

/// <summary>Makes renames in a directory durable. One fsync serves all that wait when it begins.</summary>
internal sealed class DirectorySync(SafeFileHandle? directory) : IDisposable
{
    private readonly Lock gate = new();
    private Task running = Task.CompletedTask;
    private Task? waiting;

    /// <summary>Completes when everything that was renamed before the call is on the disk.</summary>
    /// <exception cref="IOException">It may not be.</exception>
    public Task SyncAsync()
    {
        if (directory is null)
        {
            return Task.CompletedTask;
        }
        lock (gate)
        {
            return waiting ??= SyncAfterAsync(running);
        }
    }

    public void Dispose() => directory?.Dispose();

    private async Task SyncAfterAsync(Task previous)
    {
        await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        lock (gate)
        {
            // Who comes from now on may have renamed after the fsync began, and needs the next one.
            (running, waiting) = (waiting!, null);
        }
        // After one that failed, the next would succeed without having done what the first could not.
        await previous;
        Durable.Sync(directory!);
    }
}
