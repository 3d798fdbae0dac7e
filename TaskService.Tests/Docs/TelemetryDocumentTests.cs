using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>
/// The configuration of <c>docs/telemetry.md</c> is right, and tells all settings; the output is that of a run.
/// </summary>
public sealed partial class TelemetryDocumentTests
{
    private static readonly string Document = File.ReadAllText(TestRoot.File("docs", "telemetry.md"));

    [Fact]
    public void The_configuration_shown_is_right_and_every_setting_of_an_exporter_is_told()
    {
        var yaml = Assert.Single(YamlBlock().Matches(Document)).Groups[1].Value;
        var (settings, source) = Settings.Read(
            "telemetry.md",
            yaml + "\ntask-db: { memory: }",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        Assert.Equal(
            ["events", "numbers", "collector"], settings.Telemetry.Exporters.Select(exporter => exporter.Name));
        using var printed = new StringWriter();
        source.Print(printed);
        var telemetry = printed.ToString().Split("\ntelemetry:")[1].Split("\noperations:")[0];
        foreach (var key in Key().Matches(telemetry).Select(match => match.Groups[1].Value))
        {
            Assert.Contains(key, Document, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_two_services_shown_say_of_a_request_what_two_that_run_say()
    {
        var section = Document.ReplaceLineEndings("\n").Split("\n### Through two services\n")[1].Split("\n## ")[0];
        var shown = Block().Matches(section)
            .Where(block => block.Groups[1].Length == 0)
            .SelectMany(block => block.Groups[2].Value.TrimEnd('\n').Split('\n')).ToList();
        AssertOneRequest(shown);
        var told = await RunTwoServicesAsync();
        AssertOneRequest(told);
        Assert.Equal(told.Select(ShapeOf), shown.Select(ShapeOf));
    }

    /// <returns>The lines of the first and of the second, then the events of the first and of the second.</returns>
    private static async Task<List<string>> RunTwoServicesAsync()
    {
        using var directory = new TemporaryDirectory();
        using var logs = new LogFiles();
        await using var second = await RunningService.StartAsync(logging: $$"""
            {{logs.Yaml}}
            telemetry: { exporters: { events: { path: '{{directory.File("events")}}', batch-delay-max-ms: 1 } } }
            """);
        await using var first = await ObservedApp.StartAsync(addRoutes: routes =>
            routes.MapGet("/summary", async (HttpContext http, CancellationToken cancel) =>
            {
                using var client = ObservedApp.ClientOf(http);
                var tasks = await client.GetStringAsync(new Uri($"http://localhost:{second.Port}/tasks"), cancel);
                await http.Response.WriteAsync(tasks, cancel);
            }));
        await first.GetAsync("/summary", ("User-Agent", "curl/7.88.1"));
        return
        [
            .. await first.Logs.LinesAsync("brief", 1),
            .. (await logs.LinesAsync("brief", 2))[1..],
            .. (await first.EventsAsync(2)).Select(one => one.GetRawText()),
            .. await Until.ResultAsync(() => EventsOfRequests() is { Count: 2 } found ? found : null, "events"),
        ];

        // What other services of this process do outside of requests may be there as well.
        List<string> EventsOfRequests() => [.. LogFiles.WholeLines(directory.File("events"))
            .Where(line => Text(JsonElement.Parse(line), "type").StartsWith("request", StringComparison.Ordinal))];
    }

    private static void AssertOneRequest(List<string> told)
    {
        Assert.Equal(6, told.Count);
        var lines = told[..2].Select(LogfmtLine.ParseBrief).ToList();
        var events = told[2..].Select(line => JsonElement.Parse(line)).ToList();
        Assert.Equal(
            ["request.httpclient", "request", "request.store.list", "request"],
            events.Select(one => Text(one, "type")));
        var (call, request, list, called) = (events[0], events[1], events[2], events[3]);
        Assert.False(request.TryGetProperty("parent_id", out _));
        Assert.Equal(Text(request, "span_id"), Text(call, "parent_id"));
        Assert.Equal(Text(call, "span_id"), Text(called, "parent_id"));
        Assert.Equal(Text(called, "span_id"), Text(list, "parent_id"));
        Assert.Equal(4, events.Select(one => Text(one, "span_id")).Distinct().Count());
        var (id, trace) = (Text(request, "id"), Text(request, "trace_id"));
        Assert.All(events, one => Assert.Equal((id, trace), (Text(one, "id"), Text(one, "trace_id"))));
        Assert.All(lines, line => Assert.Equal((id, trace), (line["req_id"], line["trace_id"])));
        Assert.Equal(["/summary", "/tasks"], lines.Select(line => line["uri"]));
    }

    /// <summary>The names of all that is said.</summary>
    private static string ShapeOf(string line) => line.StartsWith('{')
        ? ShapeOf(JsonElement.Parse(line))
        : string.Join(' ', LogfmtLine.ParseBrief(line).Keys);

    private static string ShapeOf(JsonElement value) => value.ValueKind != JsonValueKind.Object
        ? ""
        : $"{{{string.Join(' ', value.EnumerateObject().Select(member => member.Name + ShapeOf(member.Value)))}}}";

    private static string Text(JsonElement one, string name) => one.GetProperty(name).GetString()!;

    [GeneratedRegex("```([a-z]*)\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex YamlBlock();

    [GeneratedRegex(@"^ +([a-z-]+):", RegexOptions.Multiline)]
    private static partial Regex Key();
}
