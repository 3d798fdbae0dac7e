using TaskService.Telemetry.Exporters;
using TaskService.Tests.Support;
using static TaskService.Tests.Exporters.SomeRecords;

namespace TaskService.Tests.Exporters;

/// <summary>Pauses that a receiver asks for.</summary>
public sealed class ExporterQueuePauseTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Asked = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Max = TimeSpan.FromMinutes(8);

    private static readonly ExporterQueueSettings Settings = new()
    {
        BatchDelayMax = Soon,
        AttemptTimeMax = TimeSpan.FromDays(1),
        RetryTimeMin = Soon,
        RetryTimeMax = Max,
        CloseTimeMax = Until.Limit,
    };

    // No pause of the queue itself is so long: it doubles from a millisecond.
    private readonly HeldTime time = new(due => due >= Asked && due <= Max);

    private volatile bool isOver;

    [Fact]
    public async Task The_retry_comes_after_the_requested_delay_which_has_a_limit()
    {
        using var exporter = new ScriptedExporter((call, _) => call switch
        {
            1 => throw Busy(Asked),
            2 => Task.FromException(Busy(TimeSpan.FromDays(365))),
            3 => throw Busy(-Asked),
            4 => throw Busy(TimeSpan.Zero),
            _ => Task.CompletedTask,
        });
        await using var queue = QueueOf(exporter, Settings);
        Post(queue, 1, 1);
        foreach (var (calls, pause) in new[] { (1, Asked), (2, Max) })
        {
            await Until.TrueAsync(() => time.Next is not null, "a pause");
            Assert.Equal((calls, pause), (exporter.Calls, time.Next));
            time.GoOff();
        }
        await Until.TrueAsync(() => queue.Counts.Sent == 1, "the record to be sent");
        Assert.Equal(5, exporter.Calls);
        Assert.Null(time.Next);
    }

    [Fact]
    public async Task The_requested_delay_also_applies_after_its_batch_is_dropped()
    {
        using var exporter = new ScriptedExporter(BusyOnce);
        await using var queue = QueueOf(exporter, Settings with { AttemptsMax = 1, BatchRecordsMax = 1 });
        Post(queue, 1, 2);
        await Until.TrueAsync(() => time.Next is not null, "a pause");
        Assert.Equal(1, queue.Counts.Dropped[DropReason.Failed]);
        isOver = true;
        time.GoOff();
        await Until.TrueAsync(() => queue.Counts.Sent == 1, "the other record to be sent");
    }

    [Fact]
    public async Task Shutdown_does_not_shorten_the_requested_delay()
    {
        using var exporter = new ScriptedExporter(BusyOnce);
        await using var queue = QueueOf(exporter, Settings);
        Post(queue, 1, 1);
        await Until.TrueAsync(() => time.Next is not null, "a pause");
        var closing = queue.CloseAsync();
        isOver = true;
        time.GoOff();
        await closing.WaitAsync(Until.Limit);
        Assert.Equal((1, 2), (queue.Counts.Sent, exporter.Calls));
    }

    [Fact]
    public async Task The_requested_delay_does_not_lengthen_shutdown()
    {
        using var exporter = new ScriptedExporter(BusyOnce);
        await using var queue = QueueOf(exporter, Settings with { CloseTimeMax = Soon });
        Post(queue, 1, 1);
        await Until.TrueAsync(() => time.Next is not null, "a pause");
        await queue.CloseAsync().WaitAsync(Until.Limit);
        Assert.Equal((1, 1), (queue.Counts.Dropped[DropReason.Closed], exporter.Calls));
        await Until.TrueAsync(() => exporter.IsDisposed, "the exporter to be disposed of");
    }

    // Fails for ever when it is called again too early.
    private Task BusyOnce(int call, CancellationToken cancel) =>
        call > 1 && isOver ? Task.CompletedTask
        : call == 1 ? throw Busy(Asked)
        : Task.FromException(new ExporterRefusedException("called in the pause"));

    private static ExporterBusyException Busy(TimeSpan pause) => new("busy") { RetryDelayMin = pause };

    private ExporterQueue QueueOf(IExporter exporter, ExporterQueueSettings settings) =>
        new("test", exporter, settings, (_, _, _) => { }, time);
}
