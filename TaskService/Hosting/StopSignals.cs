using System.Runtime.InteropServices;

namespace TaskService.Hosting;

/// <summary>
/// SIGTERM, SIGINT and SIGQUIT: the first asks the service to stop, the second ends the process at once. SIGHUP has the
/// log files opened anew and the configuration read again, and ends nothing.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    // A signal to a group of processes comes twice, when the one that started us passes it on as well.
    private static readonly TimeSpan SameTimeMax = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource first = new();
    private readonly TaskCompletionSource came = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] registrations;
    private readonly Lock gate = new();
    private readonly TimeProvider time;
    private long? cameAt;

    public StopSignals(TimeProvider time)
    {
        this.time = time;
        // What is not cancelled does what the system does by default: it ends the process.
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = Take()),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = Take()),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, signal => signal.Cancel = Take()),
            .. OperatingSystem.IsWindows() ? [] : new[]
            {
                PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
                {
                    signal.Cancel = true;
                    Hangup?.Invoke();
                }),
            },
        ];
    }

    /// <summary>
    /// Called for each SIGHUP, on a thread of its own; null to ignore it. On Windows that is a console that closes, and
    /// is left to the system.
    /// </summary>
    public Action? Hangup { get; set; }

    /// <summary>Cancelled by the first signal to stop.</summary>
    public CancellationToken First => first.Token;

    /// <summary>Completes when the first signal to stop has come.</summary>
    public Task WaitAsync() => came.Task;

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }
        first.Dispose();
    }

    /// <summary>Takes one signal. Each comes on a thread of its own.</summary>
    /// <returns>False when it is another one than the first, and the process is to end at once.</returns>
    internal bool Take()
    {
        lock (gate)
        {
            if (cameAt is { } at)
            {
                return time.GetElapsedTime(at) < SameTimeMax;
            }
            cameAt = time.GetTimestamp();
        }
        came.TrySetResult();
        first.Cancel();
        return true;
    }

    /// <summary>Keeps the framework from taking the signals, too.</summary>
    internal sealed class HostLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
