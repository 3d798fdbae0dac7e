using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>A secret in a query, where operators want that, is in no output.</summary>
public sealed class SecretInQueryTests : IDisposable
{
    private const string Canary = "s3cretCanary-in-query";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task It_is_masked_in_every_line_and_event_and_in_no_body()
    {
        (string Target, string Logged)[] targets =
        [
            ($"/ops/versions.json?secret={Canary}", "/ops/versions.json?secret=***"),
            ($"/ops/nope?a=1&SECRET={Canary}&b=2", "/ops/nope?a=1&SECRET=***&b=2"),
            ($"/ops/versions.json?secret=no-{Canary}&secret={Canary}", "/ops/versions.json?secret=***&secret=***"),
            ($"/tasks?limit=0&secret={Canary}", "/tasks?limit=0&secret=***"),
            ("/tasks?secret=&my-secret=1", "/tasks?secret=&my-secret=1"),
            ("/tasks?secrets", "/tasks?secrets"),
        ];
        var (log, events) = (directory.File("log"), directory.File("events"));
        await using var service = await RunningService.StartAsync(debug: true, logging: $$"""
            operations: { secret: {{Canary}}, secret-in-query: true }
            telemetry: { exporters: { e: { type: json, path: '{{events}}', batch-delay-max-ms: 1 } } }
            logging:
              handlers: { f: { type: file, path: '{{log}}', level: trace, format: logfmt } }
              loggers: { Microsoft.AspNetCore: { level: trace, handlers: [f] } }
              root: { level: trace, handlers: [f] }
            """);
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        var statuses = new List<int>();
        foreach (var (target, _) in targets)
        {
            using var response = await client.GetAsync(new Uri(target, UriKind.Relative));
            statuses.Add((int)response.StatusCode);
            var text = $"{response.Headers}{await response.Content.ReadAsStringAsync()}";
            Assert.DoesNotContain(Canary, text, StringComparison.Ordinal);
        }
        Assert.Equal([404, 403, 400, 200, 200], statuses[1..]);
        Assert.NotEqual(401, statuses[0]);
        var lines = await Until.ResultAsync(() => Responses() is { Count: 6 } found ? found : null, "the lines");
        Assert.Equal(targets.Select(one => one.Logged), lines.Select(line => line["uri"]));
        await Until.TrueAsync(
            () => LogFiles.WholeLines(events).Count(IsRequest) == targets.Length, "the events");
        var all = string.Join('\n', LogFiles.WholeLines(log).Concat(LogFiles.WholeLines(events)));
        Assert.Contains("Microsoft.AspNetCore", all, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, all, StringComparison.Ordinal);

        static bool IsRequest(string line) => line.Contains("\"type\":\"request\"", StringComparison.Ordinal);

        List<LogfmtLine> Responses() => [.. LogFiles.WholeLines(log)
            .Where(line => line.Contains("message=\"RESPONSE\"", StringComparison.Ordinal)).Select(LogfmtLine.Parse)];
    }

    [Fact]
    public async Task A_name_that_is_percent_encoded_is_the_same_name()
    {
        var log = directory.File("log");
        await using var service = await RunningService.StartAsync(logging: $$"""
            operations: { secret: {{Canary}}, secret-in-query: true }
            logging: { handlers: { f: { type: file, path: '{{log}}', format: logfmt } }, root: { handlers: [f] } }
            """);
        var response = await service.SendRawAsync(
            $"GET /ops/versions.json?a=1&%73e%63R%65t={Canary} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK", response, StringComparison.Ordinal);
        var line = await Until.ResultAsync(
            () => LogFiles.WholeLines(log).FirstOrDefault(
                one => one.Contains("RESPONSE", StringComparison.Ordinal)),
            "the line");
        Assert.Equal("/ops/versions.json?a=1&%73e%63R%65t=***", LogfmtLine.Parse(line)["uri"]);
    }
}
