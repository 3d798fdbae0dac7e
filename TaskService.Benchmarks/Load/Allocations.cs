using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;

namespace TaskService.Benchmarks.Load;

/// <summary>How many bytes a process allocates, which its runtime tells every second.</summary>
internal sealed class Allocations : IAsyncDisposable
{
    private readonly EventPipeSession session;
    private readonly Task reading;
    private readonly ConcurrentQueue<double> perSecond = new();

    public Allocations(int process)
    {
        session = new DiagnosticsClient(process).StartEventPipeSession(new EventPipeProvider(
            "System.Runtime",
            EventLevel.Informational,
            arguments: new Dictionary<string, string> { ["EventCounterIntervalSec"] = "1" }));
        reading = Task.Run(Read);
    }

    /// <summary>The median of the whole seconds so far; 0 when there was none.</summary>
    public double BytesPerSecond
    {
        get
        {
            var seconds = perSecond.Order().ToArray();
            return seconds.Length == 0 ? 0 : seconds[seconds.Length / 2];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await session.StopAsync(CancellationToken.None);
        await reading;
        session.Dispose();
    }

    private void Read()
    {
        using var source = new EventPipeEventSource(session.EventStream);
        source.Dynamic.All += Take;
        source.Process();
    }

    private void Take(TraceEvent data)
    {
        if (data.EventName == "EventCounters"
            && data.PayloadValue(0) is IDictionary<string, object> outer
            && outer["Payload"] is IDictionary<string, object> counter
            && counter["Name"] is "alloc-rate")
        {
            perSecond.Enqueue((double)counter["Increment"] / (float)counter["IntervalSec"]);
        }
    }
}
