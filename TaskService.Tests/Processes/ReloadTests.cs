using System.Net;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Processes;

/// <summary>SIGHUP has the real process read its configuration again.</summary>
public sealed class ReloadTests : IDisposable
{
    private const string Reloaded = "CONFIGURATION RELOADED";
    private const string Refused = "CONFIGURATION NOT RELOADED";
    private const string Secret = "an operator's secret";

    private readonly TemporaryDirectory directory = new();

    public ReloadTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "needs signals");

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Levels_handlers_and_exporters_follow_under_load_and_no_line_is_lost()
    {
        WriteConfig("a.log", "info");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml");
        using var client = await process.ClientAsync();
        client.DefaultRequestHeaders.Add("X-API-Key", Secret);
        using (var set = await client.PutAsync(Levels("?name=x.y&level=TRACE"), null))
        {
            Assert.Equal(HttpStatusCode.OK, set.StatusCode);
        }
        using var over = new CancellationTokenSource();
        var load = Enumerable.Range(0, 2).Select(_ => RequestsAsync(client.BaseAddress!, over.Token)).ToList();
        await LinesAsync("a.log", "RESPONSE", 10);

        for (var round = 1; round <= 3; round++)
        {
            WriteConfig("b.log", "debug", "telemetry: { exporters: { events: { path: e.json } } }");
            await HangUpAsync(process, (2 * round) - 1);
            await LinesAsync("b.log", "REQUEST", 10 * round);
            WriteConfig("a.log", "info");
            await HangUpAsync(process, 2 * round);
        }
        WriteConfig(
            "b.log",
            "debug",
            "telemetry: { trace-probability: 1, exporters: { events: { path: e.json } } }",
            "port: 1");
        await HangUpAsync(process, 7);
        await LinesAsync("e.json", "\"type\":\"request\"", 1);
        await over.CancelAsync();
        var count = (await Task.WhenAll(load)).Sum();

        var all = await client.GetStringAsync(Levels(""));
        Assert.Equal("TRACE", JsonElement.Parse(all).GetProperty("overrides").GetProperty("x.y").GetString());
        var own = JsonElement.Parse(await client.GetStringAsync(Levels("?name=taskservice")));
        Assert.Equal("DEBUG", own.GetProperty("level").GetString());
        Assert.Equal("""{"console":"INFO","file":"DEBUG"}""", $"{own.GetProperty("handlers")}");

        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Equal(count, Count("a.log") + Count("b.log"));
        var said = Lines(process, Reloaded);
        Assert.Equal(
            "logging.handlers.file.path, logging.loggers.taskservice.level, telemetry.exporters.events.path",
            said[0]["changed"]);
        Assert.All(said[..^1], line => Assert.DoesNotContain("restart_for", line.Keys));
        Assert.Equal("service.port, telemetry.trace-probability", said[^1]["restart_for"]);
        Assert.DoesNotContain("DROPS", string.Join('\n', process.Output), StringComparison.Ordinal);

        int Count(string file) => LogFiles.WholeLines(directory.File(file)).Count(line =>
            line.Contains("message=\"RESPONSE\"", StringComparison.Ordinal)
            && line.Contains("uri=\"/tasks\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_wrong_changes_nothing_and_is_reported_by_its_lines()
    {
        WriteConfig("a.log", "info");
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml");
        using var client = await process.ClientAsync();
        File.WriteAllText(directory.File("plain"), "");

        WriteConfig("b.log", "loud", "telemetry: { exporters: { events: { path: e.json, tpye: json } } }");
        process.Signal("HUP");
        await RefusedAsync(2);
        // Right by itself, but the file cannot be written.
        WriteConfig("plain/b.log", "debug", "telemetry: { exporters: { events: { path: e.json } } }");
        process.Signal("HUP");
        await RefusedAsync(3);
        File.WriteAllText(directory.File("c.yaml"), "");
        process.Signal("HUP");
        await RefusedAsync(4);
        File.Delete(directory.File("c.yaml"));
        process.Signal("HUP");
        await RefusedAsync(5);
        Assert.Collection(
            Lines(process, Refused).Select(line => line["reason"]),
            reason => Assert.Contains("c.yaml:6: logging.loggers.taskservice.level", reason, StringComparison.Ordinal),
            reason => Assert.Contains("c.yaml:8: telemetry.exporters.events.tpye", reason, StringComparison.Ordinal),
            reason => Assert.Contains("log file plain/b.log cannot be written", reason, StringComparison.Ordinal),
            reason => Assert.Contains("c.yaml: is empty", reason, StringComparison.Ordinal),
            reason => Assert.Contains("no such file", reason, StringComparison.Ordinal));
        Assert.All(
            process.Output.Where(line => line.Contains(Refused, StringComparison.Ordinal)),
            line => Assert.Contains(" ERROR : ", line, StringComparison.Ordinal));
        using (var response = await client.GetAsync(new Uri("/tasks", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        await LinesAsync("a.log", "RESPONSE", 1);
        Assert.Empty(LogFiles.WholeLines(directory.File("e.json")));
        Assert.Empty(LogFiles.WholeLines(directory.File("b.log")));

        WriteConfig("b.log", "info");
        await HangUpAsync(process, 1);
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(LogFiles.WholeLines(directory.File("b.log")), line =>
            line.Contains("STOPPED", StringComparison.Ordinal));

        Task RefusedAsync(int count) => Until.TrueAsync(
            () => Lines(process, Refused).Count >= count, $"{count} lines", () => string.Join('\n', process.Output));
    }

    private static Uri Levels(string query) => new($"/ops/logging/level{query}", UriKind.Relative);

    private static List<LogfmtLine> Lines(ServiceProcess process, string message) =>
    [
        .. process.Output.Where(line => line.Contains($"message=\"{message}\"", StringComparison.Ordinal))
            .Select(LogfmtLine.ParseBrief),
    ];

    private static async Task<int> RequestsAsync(Uri address, CancellationToken over)
    {
        using var client = new HttpClient { BaseAddress = address, Timeout = Until.Limit };
        var count = 0;
        for (; !over.IsCancellationRequested; count++)
        {
            using var response = await client.GetAsync(new Uri("/tasks", UriKind.Relative), CancellationToken.None);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        return count;
    }

    private async Task HangUpAsync(ServiceProcess process, int count)
    {
        process.Signal("HUP");
        await Until.TrueAsync(
            () => Lines(process, Reloaded).Count == count, $"{count} lines", () => string.Join('\n', process.Output));
    }

    private Task LinesAsync(string file, string part, int count) => Until.TrueAsync(
        () => LogFiles.WholeLines(directory.File(file)).Count(
            line => line.Contains(part, StringComparison.Ordinal)) >= count,
        $"{count} lines with {part} in {file}");

    // As tools write a file that others read: whole.
    private void WriteConfig(string logFile, string level, string telemetry = "", string service = "port: 0")
    {
        File.WriteAllText(directory.File("new.yaml"), $$"""
            service: { address: 127.0.0.1, {{service}} }
            task-db: { memory: }
            operations: { secret: "{{Secret}}" }
            logging:
              handlers: { console: { level: info }, file: { type: file, path: {{logFile}}, max-bytes: 0 } }
              loggers: { taskservice: { level: {{level}}, handlers: [console, file], propagate: false } }
              root: { level: warning, handlers: [console] }
            {{telemetry}}
            """);
        File.Move(directory.File("new.yaml"), directory.File("c.yaml"), overwrite: true);
    }
}
