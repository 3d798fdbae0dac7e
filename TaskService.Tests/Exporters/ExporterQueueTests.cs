using System.Collections.Concurrent;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;
using static TaskService.Tests.Exporters.SomeRecords;

namespace TaskService.Tests.Exporters;

public sealed class ExporterQueueTests
{
    private static readonly TimeSpan Never = TimeSpan.FromDays(1);
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    // No test depends on how short these are.
    private static readonly ExporterQueueSettings Settings = new()
    {
        BatchDelayMax = Soon,
        AttemptTimeMax = Never,
        RetryTimeMin = Soon,
        RetryTimeMax = Soon,
        CloseTimeMax = Until.Limit,
    };

    private readonly ConcurrentQueue<string> warnings = new();

    public static TheoryData<string> Failures => ["throws", "fails", "cancels itself", "does not end in time"];

    public static TheoryData<string> Hangs => ["heeds its token", "ignores its token", "blocks its thread"];

    [Fact]
    public async Task Records_are_sent_in_order_and_no_batch_is_larger_than_its_limit()
    {
        using var exporter = ScriptedExporter.Working();
        await using (var queue = QueueOf(exporter, Settings with { BatchRecordsMax = 64 }))
        {
            Post(queue, 1, 5_000);
        }
        Assert.Equal(Ids(1, 5_000), exporter.Sent);
        Assert.All(exporter.Batches, batch => Assert.InRange(batch.Length, 1, 64));
        Assert.True(exporter.IsDisposed);
        Assert.Empty(warnings);
    }

    [Fact]
    public async Task A_full_batch_is_sent_at_once_and_another_after_the_linger()
    {
        var time = new HeldTime(due => due == 2 * Never);
        using var exporter = ScriptedExporter.Working();
        var settings = Settings with { BatchRecordsMax = 3, BatchDelayMax = 2 * Never };
        await using var queue = QueueOf(exporter, settings, time);
        Post(queue, 1, 4);
        await Until.TrueAsync(() => exporter.Batches is [["1", "2", "3"]], "the full batch");
        // Those before it are of the gathering that the full batch ended.
        await Until.TrueAsync(() =>
        {
            if (time.Next is not null)
            {
                time.GoOff();
            }
            return exporter.Batches is [_, ["4"]];
        }, "the other");
        Assert.Equal(2, exporter.Calls);
    }

    [Fact]
    public async Task A_queue_that_is_full_drops_the_newest_and_counts_them()
    {
        using var counted = new CountedDrops("full");
        var gate = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((_, _) => gate.Task);
        var settings = Settings with { RecordsMax = 5, BatchRecordsMax = 2 };
        await using (var queue = QueueOf(exporter, settings, name: "full"))
        {
            Post(queue, 1, 2);
            await Until.TrueAsync(() => exporter.Calls == 1, "the first call");
            Post(queue, 3, 10);
            AssertBooks(queue, produced: 10, sent: 0, queued: 5, (DropReason.QueueFull, 5));
            gate.SetResult();
            await queue.CloseAsync();
            AssertBooks(queue, produced: 10, sent: 5, queued: 0, (DropReason.QueueFull, 5));
        }
        Assert.Equal(Ids(1, 5), exporter.Sent);
        Assert.Equal(5, counted[DropReason.QueueFull]);
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_failed_batch_is_retried_in_order_and_arrives_once(string how)
    {
        using var exporter = new ScriptedExporter((call, cancel) => (call % 4, how) switch
        {
            (0, _) => Task.CompletedTask,
            (_, "throws") => throw new InvalidOperationException("what nobody thought of"),
            _ => ScriptedExporter.FailAsync(how, cancel),
        });
        var settings = Settings with { BatchRecordsMax = 10, AttemptTimeMax = TimeSpan.FromMilliseconds(20) };
        // An attempt is lost when the machine stalls for its time: there are some to spare.
        await using var queue = QueueOf(exporter, settings with { AttemptsMax = 1_000 });
        Post(queue, 1, 100);
        await Until.TrueAsync(() => queue.Counts.Sent == 100, "all records to be sent");
        Assert.Equal(Ids(1, 100), exporter.Sent);
        Assert.False(exporter.WasCalledByTwo);
        AssertBooks(queue, produced: 100, sent: 100, queued: 0);
    }

    [Fact]
    public async Task A_batch_is_dropped_after_its_last_attempt_and_the_next_is_sent()
    {
        using var counted = new CountedDrops("failing");
        using var exporter = new ScriptedExporter(
            (call, cancel) => call <= 3 ? ScriptedExporter.FailAsync("fails", cancel) : Task.CompletedTask);
        var settings = Settings with { BatchRecordsMax = 2, BatchDelayMax = Never, AttemptsMax = 3 };
        await using var queue = QueueOf(exporter, settings, name: "failing");
        Post(queue, 1, 4);
        await Until.TrueAsync(() => queue.Counts.Sent == 2, "the next batch to be sent");
        AssertBooks(queue, produced: 4, sent: 2, queued: 0, (DropReason.Failed, 2));
        Assert.Equal(Ids(3, 4), exporter.Sent);
        Assert.Equal(4, exporter.Calls);
        Assert.Equal(2, counted[DropReason.Failed]);
    }

    [Fact]
    public async Task A_batch_that_is_refused_is_dropped_at_once()
    {
        using var counted = new CountedDrops("refusing");
        using var exporter = new ScriptedExporter(
            (call, _) => call == 1 ? throw new ExporterRefusedException("too old") : Task.CompletedTask);
        var settings = Settings with { BatchRecordsMax = 2, BatchDelayMax = Never, RetryTimeMin = Never };
        await using var queue = QueueOf(exporter, settings, name: "refusing");
        Post(queue, 1, 4);
        await Until.TrueAsync(() => queue.Counts.Sent == 2, "the next batch to be sent");
        AssertBooks(queue, produced: 4, sent: 2, queued: 0, (DropReason.Refused, 2));
        Assert.Equal(2, exporter.Calls);
        Assert.Equal(2, counted[DropReason.Refused]);
    }

    [Fact]
    public async Task Backoff_doubles_up_to_its_limit_across_batches_with_jitter()
    {
        var (min, max) = (TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(8));
        var time = new HeldTime(due => due >= min && due <= max);
        using var exporter = new ScriptedExporter(
            (call, cancel) => call == 51 ? Task.CompletedTask : ScriptedExporter.FailAsync("fails", cancel));
        var settings = Settings with { BatchRecordsMax = 1, AttemptsMax = 2, RetryTimeMin = min, RetryTimeMax = max };
        await using var queue = QueueOf(exporter, settings with { CloseTimeMax = Soon }, time);
        Post(queue, 1, 100);
        var pauses = new List<TimeSpan>();
        while (pauses.Count < 100)
        {
            await Until.TrueAsync(() => time.Next is not null, "a pause");
            pauses.Add(time.Next!.Value);
            time.GoOff();
        }
        Assert.InRange(pauses[0], min, 2 * min);
        Assert.InRange(pauses[1], min, 4 * min);
        // The call that did not fail began anew.
        Assert.InRange(pauses[50], min, 2 * min);
        Assert.InRange(pauses.Max(), max / 2, max);
        Assert.InRange(pauses.Distinct().Count(), 50, 100);
    }

    [Fact]
    public async Task A_call_that_succeeds_after_its_timeout_counts_and_calls_never_overlap()
    {
        var gate = new TaskCompletionSource();
        var wasCancelled = false;
        using var exporter = new ScriptedExporter((_, cancel) =>
        {
            cancel.Register(() => Volatile.Write(ref wasCancelled, true));
            return gate.Task;
        });
        await using var queue = QueueOf(exporter, Settings with { AttemptTimeMax = Soon, AttemptsMax = int.MaxValue });
        Post(queue, 1, 3);
        await Until.TrueAsync(() => Volatile.Read(ref wasCancelled), "the call to be given up");
        gate.SetResult();
        await Until.TrueAsync(() => queue.Counts.Sent == 3, "the records to be sent");
        Assert.Equal(Ids(1, 3), exporter.Sent);
        Assert.Equal(1, exporter.Calls);
    }

    [Fact]
    public async Task A_batch_is_dropped_while_a_call_hangs_and_later_ones_are_sent_when_it_ends()
    {
        var gate = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((call, _) => call == 1 ? gate.Task : Task.CompletedTask);
        var settings = Settings with { BatchRecordsMax = 1, AttemptTimeMax = Soon, AttemptsMax = 2 };
        await using var queue = QueueOf(exporter, settings);
        Post(queue, 1, 3);
        await Until.TrueAsync(() => queue.Counts.Dropped[DropReason.Failed] == 3, "the batches to be dropped");
        Assert.Equal(1, exporter.Calls);
        gate.SetException(new IOException("it is closed"));
        await Until.TrueAsync(() =>
        {
            Post(queue, 4, 4);
            return queue.Counts.Sent > 0;
        }, "a record to be sent");
        Assert.False(exporter.WasCalledByTwo);
    }

    [Theory]
    [MemberData(nameof(Hangs))]
    public async Task An_exporter_that_hangs_blocks_neither_posts_nor_shutdown(string how)
    {
        using var gate = new ManualResetEventSlim();
        var end = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((_, cancel) =>
        {
            if (how == "blocks its thread")
            {
                gate.Wait(CancellationToken.None);
            }
            return how == "ignores its token" ? end.Task : end.Task.WaitAsync(cancel);
        });
        var queue = QueueOf(exporter, Settings with { RecordsMax = 20, CloseTimeMax = Soon });
        Post(queue, 1, 10);
        await Until.TrueAsync(() => exporter.Calls == 1, "a call");
        Post(queue, 11, 30);
        await queue.CloseAsync().WaitAsync(Until.Limit);
        AssertBooks(queue, produced: 30, sent: 0, queued: 0, (DropReason.QueueFull, 10), (DropReason.Closed, 20));
        Assert.True(how == "heeds its token" || !exporter.IsDisposed, "disposed of in a call");
        gate.Set();
        end.TrySetResult();
        await Until.TrueAsync(() => exporter.IsDisposed, "the exporter to be disposed of");
        Assert.False(exporter.WasCalledByTwo);
        AssertBooks(queue, produced: 30, sent: 0, queued: 0, (DropReason.QueueFull, 10), (DropReason.Closed, 20));
    }

    [Fact]
    public async Task Shutdown_flushes_the_queue_without_linger_or_long_backoff()
    {
        var time = new HeldTime(due => due >= Never);
        using var exporter = new ScriptedExporter(
            (call, cancel) => call == 1 ? ScriptedExporter.FailAsync("fails", cancel) : Task.CompletedTask);
        var settings = Settings with { BatchRecordsMax = 3, RetryTimeMin = Never, RetryTimeMax = Never };
        var queue = QueueOf(exporter, settings with { BatchDelayMax = 2 * Never, AttemptTimeMax = Until.Limit }, time);
        Post(queue, 1, 7);
        await Until.TrueAsync(() =>
        {
            if (time.Next == 2 * Never)
            {
                time.GoOff();
            }
            return time.Next == Never;
        }, "a pause");
        await queue.CloseAsync().WaitAsync(Until.Limit);
        AssertBooks(queue, produced: 7, sent: 7, queued: 0);
        Assert.Equal(Ids(1, 7), exporter.Sent);
        Assert.True(exporter.IsDisposed);
    }

    [Fact]
    public async Task A_record_after_shutdown_is_counted_and_not_sent()
    {
        using var counted = new CountedDrops("closed");
        using var exporter = ScriptedExporter.Working();
        var queue = QueueOf(exporter, Settings, name: "closed");
        Post(queue, 1, 1);
        await queue.CloseAsync();
        Post(queue, 2, 3);
        await queue.DisposeAsync();
        AssertBooks(queue, produced: 3, sent: 1, queued: 0, (DropReason.Closed, 2));
        Assert.Equal(Ids(1, 1), exporter.Sent);
        Assert.Equal(2, counted[DropReason.Closed]);
        Assert.Empty(warnings);
    }

    [Fact]
    public async Task Drops_are_reported_once_and_their_end_after_a_second_without_drops()
    {
        var time = new HeldTime(due => due == ExporterDrops.QuietTimeMin);
        var gate = new TaskCompletionSource();
        using var exporter = new ScriptedExporter((_, _) => gate.Task);
        await using var queue = QueueOf(exporter, Settings with { RecordsMax = 1, BatchRecordsMax = 1 }, time);
        Post(queue, 1, 2);
        await Until.TrueAsync(() => time.Next is not null, "the begin");
        Post(queue, 3, 1_000);
        time.GoOff();
        await Until.TrueAsync(() => time.Next is not null, "another second");
        Assert.Equal(["EXPORTER DROPS BEGIN 1"], warnings);
        time.GoOff();
        await Until.TrueAsync(() => warnings.Count == 2, "the end");
        Post(queue, 1_001, 1_005);
        await Until.TrueAsync(() => warnings.Count == 3, "the next begin");
        gate.SetResult();
        await queue.CloseAsync();
        Assert.Equal(["EXPORTER DROPS BEGIN 1", "EXPORTER DROPS END 999"], warnings.Take(2));
        Assert.StartsWith("EXPORTER DROPS BEGIN ", warnings.ElementAt(2), StringComparison.Ordinal);
        Assert.Equal("EXPORTER DROPS END 5", Assert.Single(warnings.Skip(3)));
    }

    [Fact]
    public async Task Exceptions_of_warnings_and_listeners_do_not_stop_the_queue()
    {
        using var counted = new CountedDrops("broken") { Throws = true };
        using var exporter = new ScriptedExporter(
            (call, _) => call == 1 ? throw new ExporterRefusedException() : Task.CompletedTask);
        await using var queue = new ExporterQueue(
            "broken", exporter, Settings, (_, _, _) => throw new IOException("no log"), TimeProvider.System);
        Post(queue, 1, 1);
        await Until.TrueAsync(() => queue.Counts.Dropped[DropReason.Refused] == 1, "the drop");
        Post(queue, 2, 2);
        await queue.CloseAsync();
        AssertBooks(queue, produced: 2, sent: 1, queued: 0, (DropReason.Refused, 1));
        Post(queue, 3, 3);
        AssertBooks(queue, produced: 3, sent: 1, queued: 0, (DropReason.Refused, 1), (DropReason.Closed, 1));
    }

    [Fact]
    public async Task Only_code_of_the_exporter_is_marked_as_exporting_and_outside_of_operations()
    {
        var seen = new ConcurrentQueue<(bool IsSending, Operation? Current)>();
        Operation.Current = OperationSource.Off.StartRequest("request", null);
        using var exporter = new ScriptedExporter(async (_, cancel) =>
        {
            seen.Enqueue((OperationSource.IsExporting, Operation.Current));
            await Task.Yield();
            await Task.Run(() => seen.Enqueue((OperationSource.IsExporting, Operation.Current)), cancel);
        });
        await using var queue = QueueOf(exporter, Settings);
        Post(queue, 1, 1);
        await Until.TrueAsync(() => queue.Counts.Sent == 1, "the record to be sent");
        Assert.False(OperationSource.IsExporting);
        Assert.Equal([(true, null), (true, null)], seen);
        Assert.False(await Task.Run(() => OperationSource.IsExporting));
    }

    [Fact]
    public async Task At_any_time_produced_is_sent_plus_queued_plus_dropped()
    {
        const int each = 5_000;
        using var exporter = new ScriptedExporter(async (call, _) =>
        {
            await Task.Yield();
            switch (call % 7)
            {
                case 1:
                    throw new ExporterRefusedException("too large");
                case 2 or 3 or 6:
                    throw new IOException("down");
                default:
                    break;
            }
        });
        var queue = QueueOf(exporter, Settings with { RecordsMax = 300, BatchRecordsMax = 40, AttemptsMax = 2 });
        var producers = Enumerable.Range(0, 8).Select(producer => Task.Run(async () =>
        {
            for (var i = 0; i < each; i++)
            {
                queue.Post(WithId($"{producer} {i}"));
                if (i % 50 == 0)
                {
                    await Task.Yield();
                }
            }
        }));
        var all = Task.WhenAll(producers);
        do
        {
            AssertBalance(queue.Counts);
            await Task.Yield();
        }
        while (!all.IsCompleted);
        await all;
        await queue.CloseAsync();
        var counts = queue.Counts;
        AssertBalance(counts);
        Assert.Equal((8 * each, 0, 0), (counts.Produced, counts.Queued, counts.Dropped[DropReason.Closed]));
        Assert.All([counts.Sent, counts.Dropped[DropReason.Failed]], count => Assert.InRange(count, 1, 8 * each));
        Assert.Equal(counts.Sent, exporter.Sent.Count());
        foreach (var ofOne in exporter.Sent.Select(id => id.Split(' ')).GroupBy(id => id[0], id => int.Parse(id[1])))
        {
            Assert.Equal(ofOne.Distinct().Order(), ofOne);
        }
    }

    private ExporterQueue QueueOf(
        IExporter exporter, ExporterQueueSettings settings, TimeProvider? time = null, string name = "test") =>
        new(name, exporter, settings, Warn, time ?? TimeProvider.System);

    private void Warn(string message, string exporter, long count) => warnings.Enqueue($"{message} {count}");

    private static void AssertBooks(
        ExporterQueue queue, long produced, long sent, long queued, params (string Reason, long Count)[] dropped)
    {
        var counts = queue.Counts;
        Assert.Equal((produced, sent, queued), (counts.Produced, counts.Sent, counts.Queued));
        Assert.Equal(
            dropped.OrderBy(drop => drop.Reason, StringComparer.Ordinal),
            counts.Dropped.Where(drop => drop.Value != 0).Select(drop => (Reason: drop.Key, Count: drop.Value))
                .OrderBy(drop => drop.Reason, StringComparer.Ordinal));
        AssertBalance(counts);
    }

    private static void AssertBalance(ExporterCounts counts)
    {
        Assert.Equal(counts.Produced, counts.Sent + counts.Queued + counts.Dropped.Values.Sum());
        Assert.InRange(counts.Queued, 0, counts.Produced);
    }
}
