using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

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

    [Fact]
    public async Task A_retry_does_not_write_events_twice()
    {
        using var target = new FullTarget();
        using var exporter = new JsonEventExporter(target);
        OperationRecord[] batch =
        [
            .. "abc".Select(type => SomeRecord.Of($"{type}", TimeSpan.Zero)),
        ];
        await Assert.ThrowsAsync<IOException>(async () => await exporter.SendAsync(batch, CancellationToken.None));
        await Assert.ThrowsAsync<IOException>(async () => await exporter.SendAsync(batch, CancellationToken.None));
        await exporter.SendAsync(batch, CancellationToken.None);
        // The same records in a batch of their own are others.
        await Assert.ThrowsAsync<IOException>(async () => await exporter.SendAsync([.. batch], CancellationToken.None));
        Assert.Equal(
            ["a", "b", "c", "a"],
            target.Lines.Select(line => JsonElement.Parse(line).GetProperty("type").GetString()));
    }

    [Fact]
    public async Task A_file_of_events_is_rotated_like_a_log()
    {
        var path = directory.File("rotated");
        var batch = Enumerable.Range(0, 8).Select(i => SomeRecord.Of($"t{i}", TimeSpan.Zero)).ToArray();
        var bytesMax = (2 * (await WrittenAsync(batch[0])).Length) + 10;
        using (var exporter = JsonEventExporter.ToFile(new LogFileSettings(path, bytesMax, BackupCount: 2)))
        {
            await exporter.SendAsync(batch[..3], CancellationToken.None);
            await exporter.SendAsync(batch[3..], CancellationToken.None);
        }
        string[] files = [$"{path}.2", $"{path}.1", path];
        Assert.All(files, file => Assert.InRange(new FileInfo(file).Length, 1, bytesMax));
        var types = files.SelectMany(file => File.ReadLines(file))
            .Select(line => JsonElement.Parse(line).GetProperty("type").GetString());
        // The newest, whole; the oldest are gone with their file.
        Assert.Equal(["t2", "t3", "t4", "t5", "t6", "t7"], types);
        Assert.False(File.Exists($"{path}.3"));
    }

    private static TraceContext Trace => SomeRecord.Trace;

    private async Task<string> WrittenAsync(params OperationRecord[] batch)
    {
        var path = directory.File(batch.Length.ToString(CultureInfo.InvariantCulture));
        using (var exporter = JsonEventExporter.ToFile(new LogFileSettings(path, 0, 0)))
        {
            await exporter.SendAsync(batch, CancellationToken.None);
        }
        return await File.ReadAllTextAsync(path);
    }

    /// <summary>A disk that has room for one line more each time.</summary>
    private sealed class FullTarget : LogTarget
    {
        private readonly StringBuilder text = new();

        public string[] Lines => text.ToString().Split('\n')[..^1];

        public override int Write(ReadOnlySpan<byte> lines)
        {
            var line = lines[..(lines.IndexOf((byte)'\n') + 1)];
            text.Append(Encoding.UTF8.GetString(line));
            return line.Length;
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
