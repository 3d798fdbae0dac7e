using System.Net;
using System.Text.Json.Nodes;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>With <c>http.rate-limit</c> a client that sends too many requests is refused, and no other.</summary>
public sealed class RateLimitTests
{
    // No test lasts so long that one more is granted.
    private const string Three = "rate-limit: { requests-per-second: 0.0001, burst: 3 }";
    private const string Keys =
        "authentication: api-keys, api-keys: { a: 0123456789abcdef-a, b: 0123456789abcdef-b }";

    [Fact]
    public async Task Beyond_its_burst_a_client_gets_429_with_Retry_After_and_it_is_counted()
    {
        using var hits = new LimitHits();
        using var log = new LogFiles();
        await using var service = await RunningService.StartAsync(
            http: $"{Three}, cors: {{ origins: ['*'] }}", logging: log.Yaml);
        Assert.Equal("200 404 200 429", await StatusesAsync(service, ["/tasks", "/nope", "/tasks", "/tasks"]));
        using var refused = await SendAsync(service, "/tasks/some", ("Origin", "https://a.example"));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("10000", Assert.Single(refused.Headers.GetValues("Retry-After")));
        Assert.Equal("*", Assert.Single(refused.Headers.GetValues("Access-Control-Allow-Origin")));
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal(("Too Many Requests", 429), ((string?)problem["message"], (int)problem["status"]!));
        Assert.Equal("application/problem+json", $"{refused.Content.Headers.ContentType}");
        Assert.True(hits["taskservice.http.limit.hits rate-limit"] >= 2);
        var line = LogfmtLine.Parse((await log.LinesAsync("logfmt", 11))[^1]);
        Assert.Equal(("429", "/tasks/{id}", "WARNING"), (line["status"], line["route"], line["level"]));
    }

    [Fact]
    public async Task Those_who_watch_the_service_are_never_refused()
    {
        await using var service = await RunningService.StartAsync(http: Three, logging: """
            operations: { secret: 0123456789abcdef }
            logging: { handlers: { console: { type: console, level: none } } }
            """);
        Assert.Equal(
            "200 200 200 429", await StatusesAsync(service, Enumerable.Repeat("/tasks", 4)));
        foreach (var path in new[] { "/health/live", "/health/ready", "/ops/versions.json" })
        {
            using var response = await SendAsync(service, path, ("X-API-Key", "0123456789abcdef"));
            Assert.NotEqual(HttpStatusCode.TooManyRequests, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("10.0.0.1", "10.0.0.1", true)]
    [InlineData("10.0.0.1", "10.0.0.2", false)]
    [InlineData("10.0.0.1", "::ffff:10.0.0.1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    public async Task A_client_is_an_address_or_a_network_of_IPv6(string first, string second, bool isSame)
    {
        await using var service = await RunningService.StartAsync(
            http: "rate-limit: { requests-per-second: 0.0001, burst: 1 }", service: "trusted-proxies: [127.0.0.1]");
        using var taken = await SendAsync(service, "/tasks", ("X-Forwarded-For", first));
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        using var response = await SendAsync(service, "/tasks", ("X-Forwarded-For", second));
        Assert.Equal(isSame ? HttpStatusCode.TooManyRequests : HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task By_identity_each_user_has_a_bucket_and_strangers_have_that_of_their_address()
    {
        await using var service = await RunningService.StartAsync(
            http: $"{Keys}, rate-limit: {{ requests-per-second: 0.0001, burst: 2, by: identity }}");
        Assert.Equal("200 200 429", await StatusesAsync(service, Enumerable.Repeat("/tasks", 3), "a"));
        Assert.Equal("200 200 429", await StatusesAsync(service, Enumerable.Repeat("/tasks", 3), "b"));
        // Guesses count, too.
        Assert.Equal("401 401 429", await StatusesAsync(service, Enumerable.Repeat("/tasks", 3), "c"));
    }

    [Fact]
    public async Task By_address_users_share_a_bucket()
    {
        await using var service = await RunningService.StartAsync(http: $"{Keys}, {Three}");
        Assert.Equal("200 200", await StatusesAsync(service, ["/tasks", "/tasks"], "a"));
        Assert.Equal("200 429", await StatusesAsync(service, ["/tasks", "/tasks"], "b"));
    }

    [Fact]
    public async Task After_a_while_there_is_one_more()
    {
        await using var service = await RunningService.StartAsync(
            http: "rate-limit: { requests-per-second: 2, burst: 1 }");
        Assert.Equal("200", await StatusesAsync(service, ["/tasks"]));
        await Until.TrueAsync(async () => await StatusesAsync(service, ["/tasks"]) == "429", "a refusal");
        await Until.TrueAsync(async () => await StatusesAsync(service, ["/tasks"]) == "200", "one more");
    }

    [Fact]
    public async Task The_document_has_the_response()
    {
        await using var service = await RunningService.StartAsync(http: Three);
        using var response = await SendAsync(service, "/openapi.json");
        var paths = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["paths"]!;
        Assert.NotNull(paths["/tasks"]!["post"]!["responses"]!["429"]!["headers"]!["Retry-After"]);
        Assert.Null(paths["/health/live"]!["get"]!["responses"]!["429"]);
    }

    private static async Task<string> StatusesAsync(
        RunningService service, IEnumerable<string> paths, string? user = null)
    {
        var statuses = new List<int>();
        foreach (var path in paths)
        {
            using var response = await SendAsync(service, path, ("X-API-Key", $"0123456789abcdef-{user}"));
            statuses.Add((int)response.StatusCode);
        }
        return string.Join(' ', statuses);
    }

    // The document of a service without a limit says nothing of 429.
    private static async Task<HttpResponseMessage> SendAsync(
        RunningService service, string path, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await client.SendAsync(request);
    }
}
