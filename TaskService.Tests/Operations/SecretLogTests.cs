using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>
/// A secret is in no line, event and error, right or wrong, wherever it was sent and however much is logged.
/// </summary>
public sealed class SecretLogTests
{
    private const string Right = "canary-of-the-operators";
    private const string Wrong = "canary-of-somebody-else";

    [Fact]
    public async Task Secrets_are_in_no_line_no_event_and_no_error()
    {
        using var directory = new TemporaryDirectory();
        var (lines, events) = (directory.File("lines"), directory.File("events"));
        var bodies = new List<string>();
        await using (var service = await RunningService.StartAsync(
            debug: true,
            operations: $"secret: {Right}, secret-in-query: true",
            logging: $$"""
                logging:
                  handlers: { all: { type: file, path: '{{lines}}', level: trace, format: json } }
                  loggers: { taskservice: { level: trace }, Microsoft.AspNetCore: { level: trace } }
                  root: { level: trace }
                telemetry: { log-events: true, exporters: { events: { type: json, path: '{{events}}' } } }
                """))
        {
            using var client = service.Operator();
            foreach (var path in new[]
            {
                "versions.json", "health_check?max_level=x", "logging/level?name=x&level=nope", "debug/headers",
                "debug/error", "debug/sleep?ms=x", "stats.json?reset=x", "nope",
            })
            {
                foreach (var secret in new[] { Right, Wrong })
                {
                    var inQuery = $"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}secret={secret}";
                    bodies.Add(await SendAsync(client, path, "X-API-Key", secret));
                    bodies.Add(await SendAsync(client, path, "Authorization", $"Bearer {secret}"));
                    bodies.Add(await SendAsync(client, inQuery, "Accept", "*/*"));
                    bodies.Add(await SendAsync(client, inQuery, "Referer", $"http://x/?secret={secret}"));
                }
            }
            using var opened = await client.GetAsync(new Uri($"/ops/versions.json?secret={Wrong}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.TooManyRequests, opened.StatusCode);
        }
        var written = await File.ReadAllTextAsync(lines);
        Assert.Contains("/ops/debug/error", written, StringComparison.Ordinal);
        Assert.Contains("/ops/debug/error", await File.ReadAllTextAsync(events), StringComparison.Ordinal);
        foreach (var text in bodies.Append(written).Append(await File.ReadAllTextAsync(events)))
        {
            Assert.DoesNotContain("canary", text, StringComparison.Ordinal);
        }
    }

    private static async Task<string> SendAsync(HttpClient client, string path, string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"/ops/{path}", UriKind.Relative));
        request.Headers.TryAddWithoutValidation(header, value);
        using var response = await client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }
}
