using Microsoft.Extensions.Logging;
using TaskService.Telemetry;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Exporters;
using TaskService.Tests.Exporters;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>Which operation code runs in, wherever it goes on.</summary>
public sealed class OperationFlowTests
{
    [Fact]
    public async Task An_operation_can_be_suspended_and_restored_where_the_context_is_lost()
    {
        await using var events = new EventFile();
        var operation = events.Telemetry.Start("request");
        Operation.Current?.Set("begun", true);
        Operation.Current = null;
        Operation.Current?.Set("between", true);

        var callback = new Thread(() =>
        {
            Assert.Null(Operation.Current);
            Operation.Current = operation;
            Operation.Current?.Set("goes_on", true);
            Operation.Start(".sql").Dispose();
            Assert.Same(operation, Operation.Current);
            operation.Dispose();
        });
        callback.UnsafeStart();
        callback.Join();

        var all = await events.ReadAsync();
        Assert.Equal(["request.sql", "request"], all.Select(one => one.GetProperty("type").GetString()));
        Assert.Equal(all[1].GetProperty("id").GetString(), all[0].GetProperty("id").GetString());
        Assert.Equal("""{"begun":true,"goes_on":true}""", all[1].GetProperty("body").GetRawText());
    }

    [Fact]
    public async Task An_operation_begins_and_ends_within_the_one_around_it()
    {
        var spans = new ReceivedSpans();
        var settings = new TelemetrySettings { TraceProbability = 1, Exporters = [spans.Settings("spans")] };
        await using (var telemetry = new TelemetrySystem(settings, (_, _, _) => { }))
        {
            for (var i = 0; i < 10_000; i++)
            {
                using var request = telemetry.StartRequest($"{i}", null);
                using var outer = Operation.Start(".outer");
                Operation.Start(".inner").Dispose();
            }
        }
        Assert.Equal(30_000, spans.All.Count);
        foreach (var ended in spans.All.Chunk(3))
        {
            var (inner, outer, request) = (ended[0], ended[1], ended[2]);
            Assert.True(
                request.Start <= outer.Start && outer.Start <= inner.Start
                && inner.End <= outer.End && outer.End <= request.End,
                request.Id);
        }
    }

    [Fact]
    public async Task Without_configuration_all_calls_work_and_exceptions_are_rethrown()
    {
        using var request = OperationSource.Off.StartRequest("id", null);
        using var child = Operation.Start(".sql");
        child.Set("a.b", 1);
        child.SetList("c", 1, 2);
        child.SetMembers("d", new Field("e", 1));
        child.Add("f", 1);
        child.Append("g", 1);
        child.Time("h").Dispose();
        child.Fail(new InvalidDataException("broken"));
        Assert.Null(child.Error);
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
            await Operation.RunAsync<int>(".sql", _ => throw new InvalidDataException("broken")));
        var fields = new FieldList();
        child.CopyTo(fields);
        Assert.Equal(0, fields.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_and_without_readers_a_child_sets_no_field_of_its_request(bool isRead)
    {
        var settings = new TelemetrySettings { Statistics = isRead };
        await using var telemetry = new TelemetrySystem(settings, (_, _, _) => { });
        using var request = telemetry.StartRequest("id", null);
        using (var child = Operation.Start(".sql"))
        {
            Assert.Same(child, Operation.Current);
            Assert.Equal(("id", request.TraceId), (child.Id, child.TraceId));
            Operation.Current?.Set("a", 1);
            Operation.Current?.Add("b", 1);
            Operation.Current?.Append("c", 1);
            Operation.Current?.Time("d").Dispose();
            Operation.Current!.Level = LogLevel.Critical;
            using (Operation.Start("^.other"))
            {
                Operation.Current?.Set("e", 1);
                await Task.Yield();
                Operation.Current?.Set("f", 1);
            }
            Operation.Current?.Set("g", 1);
            child.Dispose();
            child.Dispose();
            using var next = Operation.Start(".next");
            child.Dispose();
            Operation.Current?.Set("h", 1);
        }
        Operation.Run(".run", _ => Operation.Current?.Set("i", 1));
        Assert.Equal(5, Operation.Run(".run", _ => 5));
        await Operation.RunAsync(".run", async _ =>
        {
            await Task.Yield();
            Operation.Current?.Set("j", 1);
        });
        Assert.Same(request, Operation.Current);
        Operation.Current?.Set("own", 1);
        var fields = new FieldList();
        request.CopyTo(fields);
        Assert.Equal(["own"], fields.Items.ToArray().Select(field => field.Key));
        Assert.Null(request.Level);
    }

    [Fact]
    public async Task An_exception_in_an_operation_is_recorded_and_rethrown()
    {
        Func<Task>[] runs =
        [
            () => Task.FromResult(Operation.Run<int>(".a", _ => throw new InvalidDataException("broken"))),
            () =>
            {
                Operation.Run(".b", _ => throw new InvalidDataException("broken"));
                return Task.CompletedTask;
            },
            () => Operation.RunAsync<int>(".c", async _ =>
            {
                await Task.Yield();
                throw new InvalidDataException("broken");
            }).AsTask(),
            () => Operation.RunAsync(".d", async _ =>
            {
                await Task.Yield();
                throw new InvalidDataException("broken");
            }).AsTask(),
        ];
        await using var events = new EventFile();
        using (var request = events.Telemetry.Start("request"))
        {
            foreach (var run in runs)
            {
                await Assert.ThrowsAsync<InvalidDataException>(run);
                Assert.Same(request, Operation.Current);
            }
        }
        var all = await events.ReadAsync();
        Assert.Equal(
            ["request.a", "request.b", "request.c", "request.d", "request"],
            all.Select(one => one.GetProperty("type").GetString()));
        Assert.All(all[..4], one => Assert.StartsWith(
            "System.IO.InvalidDataException: broken",
            one.GetProperty("body").GetProperty("exception").GetString(),
            StringComparison.Ordinal));
    }

    [Fact]
    public async Task Logs_and_operations_of_an_exporter_make_no_events()
    {
        using var directory = new TemporaryDirectory();
        using var logs = new LogSystem(new LogSettings(
            new Dictionary<string, LogHandlerSettings>
            {
                ["file"] = new(
                    LogLevel.Trace,
                    new LogFormatSettings(LogFormatKind.Logfmt),
                    new LogFileSettings(directory.File("log"), 0, 0)),
            },
            new Dictionary<string, LoggerSettings>(),
            new LoggerSettings(LogLevel.Trace, ["file"], Propagate: false)));
        var logger = logs.CreateLogger("exporter");
        TelemetrySystem telemetry = null!;
        using var exporter = new ScriptedExporter((_, _) =>
        {
            using var own = telemetry.Start("sending");
            logger.LogError(new InvalidDataException("broken"), "from the exporter");
            return Task.CompletedTask;
        });
        var settings = new ExporterSettings(
            "own", ExporterInput.Operations, () => exporter, new ExporterQueueSettings { CloseTimeMax = Until.Limit });
        telemetry = new TelemetrySystem(
            new TelemetrySettings { LogEvents = true, Exporters = [settings] }, (_, _, _) => { });
        using (telemetry.StartRequest("id", null))
        {
            logger.LogInformation("from the request");
        }
        await Until.TrueAsync(() => exporter.Sent.Count() == 2, "the message and the request");
        await telemetry.DisposeAsync();
        Assert.Equal(2, exporter.Sent.Count());
        logs.Dispose();
        Assert.Contains(
            "from the exporter", await File.ReadAllTextAsync(directory.File("log")), StringComparison.Ordinal);
    }
}
