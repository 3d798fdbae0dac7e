using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>What records of any size may take of the memory while they wait.</summary>
public sealed class ExporterQueueBytesTests
{
    private static readonly ExporterQueueSettings Settings = new()
    {
        BytesMax = 1024 * 1024,
        BatchDelayMax = TimeSpan.FromMilliseconds(1),
        CloseTimeMax = Until.Limit,
    };

    public static TheoryData<string> Kinds => ["text", "list", "list of lists", "key", "error"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Records_that_are_too_large_together_are_dropped_as_those_that_are_too_many(string kind)
    {
        var held = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((_, _) => held.Task);
        await using var queue = new ExporterQueue(
            "large", exporter, Settings, (_, _, _) => { }, TimeProvider.System);
        for (var i = 0; i < 10; i++)
        {
            // 200 kB: five of them fit.
            queue.Post(Large(kind));
            await Until.TrueAsync(() => exporter.Calls == 1, "the call that is held");
        }
        Assert.Equal(
            (10, 5, 5), (queue.Counts.Produced, queue.Counts.Queued, queue.Counts.Dropped[DropReason.QueueFull]));
        held.SetResult();
        await Until.TrueAsync(() => queue.Counts.Queued == 0, "the rest");
        // What is sent makes room again.
        for (var i = 0; i < 5; i++)
        {
            queue.Post(Large(kind));
        }
        await queue.CloseAsync();
        Assert.Equal(
            (15, 10, 5), (queue.Counts.Produced, queue.Counts.Sent, queue.Counts.Dropped[DropReason.QueueFull]));
    }

    [Fact]
    public async Task Many_small_ones_have_room_in_what_is_the_default()
    {
        var held = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((_, _) => held.Task);
        await using var queue = new ExporterQueue(
            "small", exporter, new ExporterQueueSettings(), (_, _, _) => { }, TimeProvider.System);
        for (var i = 0; i < new ExporterQueueSettings().RecordsMax; i++)
        {
            queue.Post(SomeRecord.Request("/tasks/{id}"));
        }
        Assert.Equal(0, queue.Counts.Dropped[DropReason.QueueFull]);
        held.SetResult();
    }

    private static OperationRecord Large(string kind)
    {
        var text = new string('x', 100_000);
        FieldValue item = new string('x', 1_000);
        var list = FieldValue.FromList([.. Enumerable.Repeat(item, 98)]);
        return kind switch
        {
            "text" => SomeRecord.Of("work", new Field("a", text)),
            "list" => SomeRecord.Of("work", new Field("a", list)),
            "list of lists" => SomeRecord.Of("work", new Field("a", FieldValue.FromList(FieldValue.FromList(list)))),
            "key" => SomeRecord.Of("work", new Field(text, 1)),
            _ => new OperationRecord
            {
                Id = "1",
                Type = "work",
                Start = DateTime.UnixEpoch,
                Duration = TimeSpan.Zero,
                Fields = [],
                Error = text,
            },
        };
    }
}
