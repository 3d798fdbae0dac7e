using System.Diagnostics;
using System.Runtime.InteropServices;

namespace TaskService;

/// <summary>SIGTERM and SIGINT: the first asks the service to stop, the second ends the process at once.</summary>
internal sealed class StopSignals : IDisposable
{
    // A signal to a group of processes comes twice, when the one that started us passes it on as well.
    private static readonly TimeSpan SameTimeMax = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource first = new();
    private readonly TaskCompletionSource came = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] registrations;
    private readonly Lock handling = new();
    private long? cameAt;

    public StopSignals() => registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken First => first.Token;

    /// <summary>Completes when the first signal has come.</summary>
    public Task WaitAsync() => came.Task;

    public void Dispose()
    {
        foreach (var registration in registrations)
        {
            registration.Dispose();
        }
        first.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        bool isFirst;
        // Each signal has a thread of its own.
        lock (handling)
        {
            isFirst = cameAt is null;
            cameAt ??= Stopwatch.GetTimestamp();
            // What is not cancelled here does what the system does by default: it ends the process.
            context.Cancel = Stopwatch.GetElapsedTime(cameAt.Value) < SameTimeMax;
        }
        if (isFirst)
        {
            first.Cancel();
            came.TrySetResult();
        }
    }

    /// <summary>Keeps the framework from taking the signals, too.</summary>
    internal sealed class HostLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
