using System.Globalization;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>Whatever becomes of those who take the log, requests are answered, and no line is lost uncounted.</summary>
[Trait("Suite", "long")]
public sealed class LogTargetTests : IDisposable
{
    // So long that a few thousand lines are more than pipes and buffers hold.
    private static readonly string LongQuery = new('x', 4_000);

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_reader_of_the_console_that_stands_still_holds_up_no_request_and_misses_nothing_uncounted()
    {
        Assert.SkipUnless(File.Exists("/bin/sh"), "needs a shell");
        await WriteConfigAsync("""
            handlers:
              console: { type: console, format: logfmt }
              file: { type: file, path: file.log, format: logfmt, max-bytes: 0 }
            loggers: { taskservice: { level: info, handlers: [console, file], propagate: false } }
            """);
        using var shell = ServiceProcess.StartShell(directory.Path, """
            sh -c 'echo $$ > service.pid; exec "$SERVICE" -c config.yaml' |
            sh -c 'echo $$ > reader.pid; exec cat > console.log'
            """);
        using var client = await ClientAsync("file.log");
        var reader = await PidAsync("reader.pid");
        Assert.True(ServiceProcess.TrySignal(reader, "STOP"));
        var sent = 0;
        while (sent < 3_000)
        {
            await AnswerAsync(client, sent++);
        }
        Assert.True(ServiceProcess.TrySignal(reader, "CONT"));
        await Until.TrueAsync(() => Messages("console.log").Contains("LOG DROPS END"), "the end of the drops");
        await AnswerAsync(client, sent++);
        Assert.True(ServiceProcess.TrySignal(await PidAsync("service.pid"), "TERM"));
        Assert.Equal(0, await shell.ExitAsync());

        Assert.Equal(sent, Messages("file.log").Count(message => message == "RESPONSE"));
        AssertBalance("console.log", sent);
        var messages = Messages("console.log");
        Assert.Equal(["LOG DROPS BEGIN", "LOG DROPS END"], messages.Where(message => message!.Contains("DROPS")));
        Assert.Equal(["LOG DROPS END", "RESPONSE", "SHUTTING DOWN", "STOPPED"], messages.TakeLast(4));
    }

    [Fact]
    public async Task A_log_disk_that_is_full_holds_up_no_request_and_is_written_again_when_there_is_room()
    {
        using var disk = Mount.Tmpfs(directory.File("disk"), "1m");
        await File.WriteAllBytesAsync(directory.File("disk/filler"), new byte[600 * 1024]);
        await WriteConfigAsync("""
            handlers:
              console: { type: console }
              file: { type: file, path: disk/file.log, format: logfmt, max-bytes: 0 }
            loggers: { taskservice: { level: info, handlers: [file], propagate: false } }
            root: { level: warning, handlers: [console] }
            """);
        using var process = ServiceProcess.Start(directory.Path, "-c", "config.yaml");
        using var client = await ClientAsync("disk/file.log");
        var sent = 0;
        while (sent < 300)
        {
            await AnswerAsync(client, sent++);
        }
        File.Delete(directory.File("disk/filler"));
        await AnswerAsync(client, sent++);
        await Until.TrueAsync(() => Messages("disk/file.log").Contains("LOG DROPS END"), "the end of the drops");
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        Assert.True(AssertBalance("disk/file.log", sent) > 0);
        // Where drops have ended a second time, less than a second ago, that is told at the very end.
        Assert.Equal("STOPPED", Messages("disk/file.log").Last(message => message != "LOG DROPS END"));
    }

    [Fact]
    public async Task Events_without_a_path_go_to_standard_output_in_whole_lines_between_those_of_the_log()
    {
        await WriteConfigAsync("""
            handlers: { console: { type: console, format: brief } }
            """);
        await File.AppendAllTextAsync(
            directory.File("config.yaml"),
            "\ntelemetry: { exporters: { events: "
            + "{ type: json, batch-delay-max-ms: 1, close-time-max-ms: 60000 } } }\n");
        using var process = ServiceProcess.Start(directory.Path, "-c", "config.yaml");
        using var client = await process.ClientAsync();
        const int sent = 200;
        await Task.WhenAll(Enumerable.Range(0, sent).Select(number => AnswerAsync(client, number)));
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        var events = process.Output.Where(line => line.StartsWith('{'))
            .Select(line => JsonElement.Parse(line).GetProperty("type").GetString());
        var messages = process.Output.Where(line => !line.StartsWith('{'))
            .Select(line => LogfmtLine.ParseBrief(line)["message"]).ToList();
        Assert.Equal(sent, events.Count(type => type == "request"));
        Assert.Equal(sent, messages.Count(message => message == "RESPONSE"));
        Assert.Equal("STOPPED", messages[^1]);
    }

    /// <returns>How many were dropped.</returns>
    private int AssertBalance(string file, int sent)
    {
        var lines = Lines(file).Select(LogfmtLine.Parse).ToList();
        var dropped = lines.Where(line => line["message"] == "LOG DROPS END")
            .Sum(line => int.Parse(line["dropped"]!, CultureInfo.InvariantCulture));
        var written = lines.Where(line => line["message"] == "RESPONSE").Select(line => line["uri"]).ToList();
        Assert.Equal(written.Count, written.Distinct().Count());
        Assert.Equal(sent, written.Count + dropped);
        return dropped;
    }

    private static async Task AnswerAsync(HttpClient client, int number)
    {
        using var response = await client.GetAsync(new Uri($"/tasks?number={number}&{LongQuery}", UriKind.Relative));
        Assert.Equal(200, (int)response.StatusCode);
    }

    private Task WriteConfigAsync(string logging) => File.WriteAllTextAsync(directory.File("config.yaml"), $"""
        service: {"{"} address: 127.0.0.1, port: 0 {"}"}
        task-db: {"{"} memory: {"}"}
        logging:
          {logging.ReplaceLineEndings("\n  ")}
        """);

    private async Task<HttpClient> ClientAsync(string log)
    {
        var line = await Until.ResultAsync(() => Lines(log).FirstOrDefault(), "the STARTING line");
        var address = new Uri($"http://127.0.0.1:{LogfmtLine.Parse(line)["port"]}");
        return new HttpClient { BaseAddress = address, Timeout = Until.Limit };
    }

    private async Task<int> PidAsync(string file) =>
        int.Parse(await Until.ResultAsync(() => Lines(file).FirstOrDefault(), file), CultureInfo.InvariantCulture);

    private List<string?> Messages(string file) => [.. Lines(file).Select(line => LogfmtLine.Parse(line)["message"])];

    private string[] Lines(string file) => LogFiles.WholeLines(directory.File(file));
}
