using System.Collections.Concurrent;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Tests.Exporters;

/// <summary>An exporter that does with each call what the test says, and remembers what it sent.</summary>
/// <param name="send">Gets the number of the call, from 1, and its token; the batch is sent when it ends well.</param>
internal sealed class ScriptedExporter(Func<int, CancellationToken, Task> send) : IExporter, IDisposable
{
    private readonly ConcurrentQueue<string[]> batches = new();
    private int calls;
    private int running;

    public volatile bool IsDisposed;
    public volatile bool WasCalledByTwo;

    public int Calls => Volatile.Read(ref calls);

    /// <summary>The ids of the records of each batch that was sent.</summary>
    public string[][] Batches => [.. batches];

    public IEnumerable<string> Sent => Batches.SelectMany(batch => batch);

    public static ScriptedExporter Working() => new((_, _) => Task.CompletedTask);

    /// <param name="how">One of the ways that the switch has; any other throws.</param>
    public static async Task FailAsync(string how, CancellationToken cancel)
    {
        await Task.Yield();
        switch (how)
        {
            case "cancels itself":
                throw new OperationCanceledException("a time limit of its own");
            case "does not end in time":
                await new TaskCompletionSource().Task.WaitAsync(cancel);
                break;
            default:
                throw new IOException("down");
        }
    }

    public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel)
    {
        WasCalledByTwo |= Interlocked.Increment(ref running) > 1;
        try
        {
            return new ValueTask(RecordAsync(send(Interlocked.Increment(ref calls), cancel), batch));
        }
        catch
        {
            Interlocked.Decrement(ref running);
            throw;
        }
    }

    public void Dispose()
    {
        WasCalledByTwo |= running > 0;
        IsDisposed = true;
    }

    private async Task RecordAsync(Task sending, IReadOnlyList<OperationRecord> batch)
    {
        try
        {
            await sending;
            batches.Enqueue([.. batch.Select(record => record.Id)]);
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }
    }
}
