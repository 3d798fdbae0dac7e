using System.Diagnostics;
using System.Globalization;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Outlets;
using TaskService.Telemetry.Propagation;
using TaskService.Tests.Support;

namespace TaskService.Tests.Outlets;

/// <summary>What stands in a file of events, byte for byte.</summary>
public sealed class JsonEventTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    private static string Host => $"\"host\":\"{Environment.MachineName}\",\"pid\":{Environment.ProcessId}";

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task An_event_is_one_line_of_compact_JSON_with_its_fields_in_the_body() => Assert.Equal(
        "{\"id\":\"1\",\"type\":\"request.sql\"," + Host
        + ",\"start\":1795188542,\"end\":1795188542.0125,"
        + "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"body\":{"
        + "\"query\":\"SELECT \\\"a\\\"\\nFROM 'été'\",\"rows\":3,\"ratio\":0.1,\"ok\":true,\"none\":null,"
        + "\"waited\":1.500,\"user\":{\"name\":\"n\",\"roles\":[\"a\",2,[null]]}}}\n",
        await WrittenAsync(SomeRecord.Of(
            "request.sql",
            TimeSpan.FromMilliseconds(12.5),
            new("query", "SELECT \"a\"\nFROM 'été'"),
            new("rows", 3),
            new("ratio", 0.1),
            new("ok", true),
            new("none", default),
            new("waited", TimeSpan.FromMilliseconds(1.5)),
            new("user.name", "n"),
            new("user.roles", FieldValue.FromList("a", 2, FieldValue.FromList(default(FieldValue)))))));

    [Fact]
    public async Task Events_follow_each_other_and_a_child_names_its_parent()
    {
        var parent = SomeRecord.Of("request", TimeSpan.Zero);
        Assert.Equal(
            "{\"id\":\"1\",\"type\":\"a\"," + Host + ",\"start\":0,\"end\":0.000001,"
            + "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\","
            + "\"parent_id\":\"e457b5a2e4d86bd1\",\"body\":{}}\n"
            + "{\"id\":\"1\",\"type\":\"request\"," + Host + ",\"start\":1795188542,\"end\":1795188542,"
            + "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"body\":{}}\n",
            await WrittenAsync(
                new OperationRecord
                {
                    Id = "1",
                    Type = "a",
                    Start = DateTime.UnixEpoch,
                    Duration = TimeSpan.FromMicroseconds(1),
                    Fields = [],
                    Trace = Trace with { ParentId = ActivitySpanId.CreateFromString("e457b5a2e4d86bd1") },
                },
                parent));
    }

    private static TraceContext Trace => SomeRecord.Trace;

    private async Task<string> WrittenAsync(params OperationRecord[] batch)
    {
        var path = directory.File(batch.Length.ToString(CultureInfo.InvariantCulture));
        using (var outlet = JsonEventOutlet.ToFile(new LogFileSettings(path, 0, 0)))
        {
            await outlet.SendAsync(batch, CancellationToken.None);
        }
        return await File.ReadAllTextAsync(path);
    }
}
