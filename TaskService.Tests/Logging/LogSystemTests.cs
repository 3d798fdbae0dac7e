using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

public sealed class LogSystemTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_message_goes_to_the_handlers_of_its_logger_and_of_those_above_unless_one_keeps_it()
    {
        var loggers = new Dictionary<string, LoggerSettings>
        {
            ["app"] = new(LogLevel.Debug, ["one"], Propagate: false),
            ["app.sub"] = new(LogLevel.Debug, ["two"], Propagate: true),
            ["Microsoft"] = new(LogLevel.Debug, ["two"], Propagate: true),
        };
        using (var logs = new LogSystem(Settings(loggers, "one", "two", "root")))
        {
            Say(logs, "app", "a");
            Say(logs, "App.Storage", "b");
            Say(logs, "app.sub.x", "c");
            Say(logs, "apple", "d");
            Say(logs, "Microsoft.AspNetCore", "e");
            Say(logs, "Other", "f");
        }
        Assert.Equal(["a", "b", "c"], Messages("one"));
        Assert.Equal(["c", "e"], Messages("two"));
        Assert.Equal(["d", "e", "f"], Messages("root"));
    }

    [Fact]
    public void A_handler_writes_what_reaches_its_level()
    {
        var settings = Settings([], "root");
        var handler = settings.Handlers["root"] with { Level = LogLevel.Warning };
        var handlers = new Dictionary<string, LogHandlerSettings> { ["root"] = handler };
        using (var logs = new LogSystem(settings with { Handlers = handlers }))
        {
            var logger = logs.CreateLogger("x");
            Assert.False(logger.IsEnabled(LogLevel.Information));
            Assert.True(logger.IsEnabled(LogLevel.Warning));
            Assert.False(logger.IsEnabled(LogLevel.None));
            logger.LogInformation("no");
            logger.LogError(new InvalidOperationException("reason"), "yes");
        }
        var line = LogfmtLine.Parse(File.ReadAllLines(directory.File("root"))[0]);
        Assert.Equal(("yes", "ERROR"), (line["message"], line["level"]));
        Assert.StartsWith("System.InvalidOperationException: reason", line["trace"], StringComparison.Ordinal);
    }

    [Fact]
    public void Outside_of_a_request_a_message_has_no_request_id()
    {
        using (var logs = new LogSystem(Settings([], "root")))
        {
            Operation.Current = null;
            Say(logs, "x", "outside");
            OperationSource.Off.StartRequest("id-1", null);
            Say(logs, "x", "inside");
        }
        var lines = File.ReadAllLines(directory.File("root")).Select(LogfmtLine.Parse).ToArray();
        Assert.DoesNotContain("req_id", lines[0].Keys);
        Assert.Equal("id-1", lines[1]["req_id"]);
    }

    [Theory]
    [InlineData(LogFormatKind.Brief, "x INFO : message=\"outside\"\n")]
    [InlineData(LogFormatKind.Logfmt, "message=\"outside\"\n")]
    [InlineData(LogFormatKind.Json, "Z\",\"@mt\":\"{Text}\"}\n")]
    public void A_format_that_names_the_request_id_has_nothing_for_it_outside_of_a_request(
        LogFormatKind kind, string end)
    {
        var settings = Settings([], "root");
        var handler = settings.Handlers["root"] with { Format = new LogFormatSettings(kind, ["req_id", "message"]) };
        var handlers = new Dictionary<string, LogHandlerSettings> { ["root"] = handler };
        using (var logs = new LogSystem(settings with { Handlers = handlers }))
        {
            Operation.Current = null;
            Say(logs, "x", "outside");
        }
        Assert.EndsWith(end, File.ReadAllText(directory.File("root")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_said_with_its_path()
    {
        File.WriteAllText(directory.File("plain"), "");
        var settings = Settings([], "plain/below");
        var error = Assert.Throws<IOException>(() => new LogSystem(settings));
        Assert.StartsWith(
            $"log file {directory.File("plain/below")} cannot be written: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_that_is_missing_is_made_and_nothing_is_dropped()
    {
        using var logs = new LogSystem(Settings([], "new/deep/file"));
        Assert.True(Directory.Exists(directory.File("new/deep")));
        Assert.Equal([KeyValuePair.Create("new/deep/file", 0L)], logs.Dropped);
    }

    private static void Say(LogSystem logs, string logger, string message) =>
        logs.CreateLogger(logger).LogInformation("{Text}", message);

    private IEnumerable<string?> Messages(string file) =>
        File.ReadAllLines(directory.File(file)).Select(line => LogfmtLine.Parse(line)["message"]);

    /// <summary>A handler a name, each a file of that name; the last one is the root's.</summary>
    private LogSettings Settings(Dictionary<string, LoggerSettings> loggers, params string[] handlers) => new(
        handlers.ToDictionary(name => name, name => new LogHandlerSettings(
            LogLevel.Trace,
            new LogFormatSettings(LogFormatKind.Logfmt),
            new LogFileSettings(directory.File(name), 0, 0))),
        loggers,
        new LoggerSettings(LogLevel.Trace, [handlers[^1]], Propagate: false));
}
