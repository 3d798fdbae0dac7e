using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using TaskService.Telemetry;
using TaskService.Telemetry.Operations;

namespace TaskService.Tests.Operations;

public sealed class LatestOperationsTests
{
    private static readonly TelemetrySystem Telemetry =
        new(new TelemetrySettings { Statistics = true }, (_, _, _) => { });

    private readonly FakeTimeProvider time = new();
    private readonly LatestOperations latest;

    public LatestOperationsTests() => latest = new LatestOperations(time);

    [Fact]
    public void Nothing_is_kept_before_somebody_reads_nor_when_nobody_has_read_for_a_minute()
    {
        latest.Add(Request("1"));
        Assert.Empty(Read(0));
        latest.Add(Request("2"));
        Assert.Equal(["2"], Read(0));
        time.Advance(LatestOperations.UnreadTimeMax);
        latest.Add(Request("3"));
        Assert.Equal(["2", "3"], Read(0));
        time.Advance(LatestOperations.UnreadTimeMax + TimeSpan.FromTicks(1));
        Assert.True(latest.IsRead);
        latest.Add(Request("4"));
        Assert.False(latest.IsRead);
        Assert.Empty(Read(0));
        Assert.True(latest.IsRead);
    }

    [Fact]
    public void The_oldest_are_removed_beyond_the_limits()
    {
        latest.Read(0);
        for (var i = 0; i < LatestOperations.RecordsMax + 1; i++)
        {
            latest.Add(Request($"{i}"));
        }
        var ids = Read(0);
        Assert.Equal(LatestOperations.RequestsMax, ids.Count);
        Assert.Equal($"{LatestOperations.RecordsMax}", ids[^1]);
        var large = new string('x', (int)LatestOperations.BytesMax / 2 / 3);
        for (var i = 0; i < 4; i++)
        {
            latest.Add(Request($"large {i}", new Field("text", large)));
        }
        Assert.Equal(["large 2", "large 3"], Read(0));
    }

    [Fact]
    public void A_number_is_that_of_the_last_record_and_what_is_logged_below_information_is_left_out()
    {
        latest.Read(0);
        latest.Add(Request("1"));
        var last = latest.Read(0).Last;
        latest.Add(Request("2"));
        var probe = Request("probe");
        probe.Operation!.Level = LogLevel.Debug;
        latest.Add(probe);
        Assert.Equal(["2"], Read(last));
        Assert.Empty(Read(latest.Read(0).Last));
    }

    [Fact]
    public async Task Operations_have_fields_only_while_somebody_reads()
    {
        await using var telemetry = new TelemetrySystem(
            new TelemetrySettings { Statistics = true }, (_, _, _) => { });
        Assert.False(Run());
        telemetry.Latest!.Read(0);
        Assert.True(Run());
        var request = Assert.Single(telemetry.Latest.Read(0).Requests);
        Assert.Equal(
            [("request", 0), ("request.outer", 1), ("request.outer.inner", 2)],
            request.Operations.Select(one => (one.Record.Type, one.Depth)));
        Assert.Equal(["x"], request.Operations[2].Record.Fields.Select(field => field.Key));

        bool Run()
        {
            using var request = telemetry.StartRequest("1", null);
            using (Operation.Start(".outer"))
            {
                using var inner = Operation.Start(".inner");
                inner.Set("x", 1);
            }
            return request.IsRecorded;
        }
    }

    [Fact]
    public async Task A_call_is_only_counted_while_nobody_reads_more()
    {
        await using var telemetry = new TelemetrySystem(
            new TelemetrySettings { Statistics = true }, (_, _, _) => { });
        using (telemetry.StartRequest("1", null))
        {
            Operation.StartCount(".call")!.Value.End();
            var all = telemetry.Statistics!.Snapshot();
            Assert.Equal(["request", "call"], Assert.Single(all).Name.Flat);
            telemetry.Latest!.Read(0);
            Assert.Null(Operation.StartCount(".call"));
        }
    }

    private IReadOnlyList<string> Read(long after) =>
        [.. latest.Read(after).Requests.Select(one => one.Request.Id)];

    private static OperationRecord Request(string id, params Field[] fields) => new()
    {
        Id = id,
        Type = "request",
        Start = DateTime.UtcNow,
        Duration = TimeSpan.FromMilliseconds(1),
        Fields = fields,
        Operation = new Operation(Telemetry, id, "request"),
    };
}
