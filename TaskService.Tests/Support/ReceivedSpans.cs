using System.Collections.Concurrent;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Tests.Support;

/// <summary>An exporter that keeps what a collector of traces would get.</summary>
internal sealed class ReceivedSpans : IExporter
{
    private readonly ConcurrentQueue<OperationRecord> received = new();

    public IReadOnlyCollection<OperationRecord> All => received;

    public ExporterSettings Settings(string name) => new(name, ExporterInput.Spans, () => this, new()
    {
        RecordsMax = 100_000,
        BatchDelayMax = TimeSpan.FromMilliseconds(1),
        CloseTimeMax = Until.Limit,
    });

    /// <summary>Waits until there are so many, in the order in which they ended.</summary>
    public async Task<List<OperationRecord>> ReadAsync(int count)
    {
        await Until.TrueAsync(() => received.Count >= count, $"{count} spans");
        Assert.Equal(count, received.Count);
        return [.. received];
    }

    public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel)
    {
        foreach (var record in batch)
        {
            received.Enqueue(record);
        }
        return ValueTask.CompletedTask;
    }
}
