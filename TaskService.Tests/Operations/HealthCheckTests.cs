using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

public sealed class HealthCheckTests
{
    private const string Secret = "the-secret-of-everything";

    [Fact]
    public async Task A_working_service_names_what_has_succeeded_in_the_order_of_registration()
    {
        await using var service = await StartAsync(setup: builder => builder.Services.AddHealthChecks()
            .AddCheck("second", () => HealthCheckResult.Healthy())
            .AddCheck("third", () => HealthCheckResult.Degraded("slow")));
        var (status, body) = await GetAsync(service);
        Assert.Equal(200, status);
        Assert.Equal(200, (int?)body["status"]);
        Assert.Equal("""["storage","second","third"]""", body["successes"]!.ToJsonString());
        Assert.Equal("{}", body["failures"]!.ToJsonString());
        Assert.Equal(["storage", "second", "third"], body["timings"]!.AsObject().Select(one => one.Key));
        Assert.All(body["timings"]!.AsObject(), one => Assert.True((double?)one.Value >= 0));
    }

    [Theory]
    [InlineData("", 200, "storage", "")]
    [InlineData("?max_level=0", 200, "", "")]
    [InlineData("?max_level=1", 200, "storage", "")]
    [InlineData("?max_level=2", 500, "storage", "fail")]
    [InlineData("?max_level=100", 500, "storage,rare", "fail")]
    [InlineData("?max_level=100&checks=rare,storage", 200, "storage,rare", "")]
    [InlineData("?max_level=100&checks=rare&checks=fail", 500, "rare", "fail")]
    [InlineData("?max_level=1&checks=rare", 200, "", "")]
    [InlineData("?checks=", 200, "storage", "")]
    public async Task The_level_and_the_names_select_checks(string query, int status, string successes, string failures)
    {
        await using var service = await StartAsync(setup: builder => builder.Services.AddHealthChecks()
            .AddCheck("fail", () => HealthCheckResult.Unhealthy("failing check"), tags: [HealthChecks.Level(2)])
            .AddCheck("rare", () => HealthCheckResult.Healthy(), tags: [HealthChecks.Level(100)]));
        var (actual, body) = await GetAsync(service, query);
        Assert.Equal(status, actual);
        Assert.Equal(status, (int?)body["status"]);
        Assert.Equal(successes, string.Join(',', body["successes"]!.AsArray().Select(name => (string?)name)));
        Assert.Equal(failures, string.Join(',', body["failures"]!.AsObject().Select(one => one.Key)));
        if (failures.Length > 0)
        {
            Assert.Equal("failing check", (string?)body["failures"]!["fail"]!["message"]);
        }
        // Readiness is of the others.
        using var ready = await service.SendAsync("GET", "/health/ready");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stack_traces_are_shown_with_debug_alone(bool debug)
    {
        await using var service = await RunningService.StartAsync(
            debug: debug,
            operations: $"secret: {Secret}",
            setup: builder => builder.Services.AddHealthChecks().AddCheck(
                "broken", () => throw new InvalidOperationException("broken on purpose")));
        var (_, body) = await GetAsync(service);
        var failure = body["failures"]!["broken"]!;
        Assert.Equal("broken on purpose", (string?)failure["message"]);
        Assert.Equal(debug, $"{failure["stacktrace"]}".Contains("HealthCheckTests", StringComparison.Ordinal));
        Assert.Equal(debug, failure.AsObject().ContainsKey("stacktrace"));
    }

    [Theory]
    [InlineData("?max_level=abc", "max_level")]
    [InlineData("?max_level=-1", "max_level")]
    [InlineData("?max_level=1&max_level=2", "max_level")]
    [InlineData("?max_level=99999999999", "max_level")]
    [InlineData("?checks=storage,stroage", "names out of: storage")]
    public async Task A_wrong_query_is_400_and_says_what_is_allowed(string query, string detail)
    {
        await using var service = await StartAsync();
        using var client = service.Operator(Secret);
        using var response = await client.GetAsync(new Uri($"/ops/health_check{query}", UriKind.Relative));
        var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", "GET", "/ops/health_check");
        Assert.Contains(detail, body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        using var post = await client.PostAsync(new Uri("/ops/health_check", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
        Assert.Equal("GET, HEAD, OPTIONS", string.Join(", ", post.Content.Headers.Allow));
    }

    [Fact]
    public async Task A_url_fails_when_it_is_not_2xx_or_late_and_its_user_is_not_told()
    {
        var builder = WebApplication.CreateSlimBuilder();
        await using var other = builder.Build();
        var never = new TaskCompletionSource();
        other.Urls.Add("http://127.0.0.1:0");
        other.MapGet("/ok", (HttpContext http) => http.Request.Headers["X-Request-ID"].Count == 1);
        other.MapGet("/moved", () => Results.Redirect("/ok"));
        other.MapGet("/late", () => never.Task);
        await other.StartAsync();
        var url = other.Urls.Single();
        var withUser = url.Replace("://", "://me:canary@", StringComparison.Ordinal);
        await using var service = await StartAsync(
            $"{{ url: '{withUser}/ok?key=canary' }}, {{ url: '{url}/moved', name: moved }}, "
            + $"{{ url: '{url}/gone', name: gone }}, {{ url: '{url}/late', name: late, timeout-ms: 50 }}, "
            + "{ url: 'http://127.0.0.1:1/', name: closed, level: 2 }");
        var (status, body) = await GetAsync(service, "?max_level=2");
        Assert.Equal(500, status);
        Assert.Equal($"""["storage","{url}/ok","moved"]""", body["successes"]!.ToJsonString());
        Assert.Equal("answered 404 Not Found", (string?)body["failures"]!["gone"]!["message"]);
        Assert.Equal("it did not answer within 50 ms", (string?)body["failures"]!["late"]!["message"]);
        Assert.Contains("refused", (string?)body["failures"]!["closed"]!["message"], StringComparison.Ordinal);
        Assert.DoesNotContain("canary", body.ToJsonString(), StringComparison.Ordinal);
        never.SetResult();
    }

    [Fact]
    public async Task Free_space_and_at_least_one_value_are_checked()
    {
        await using var service = await StartAsync(
            "{ free-space: ., bytes-min: 1 }, { free-space: ., name: full, bytes-min: 9000000000000000000 }, "
            + "{ free-space: /no/such/place, name: nowhere }, { at-least-one: tasks, name: not-empty }");
        var (_, body) = await GetAsync(service);
        Assert.Equal("""["storage","free-space_."]""", body["successes"]!.ToJsonString());
        Assert.Equal("tasks record not found", (string?)body["failures"]!["not-empty"]!["message"]);
        Assert.Matches(@"^\d+ bytes are free at /", (string?)body["failures"]!["full"]!["message"]);
        Assert.Equal("there is no directory /no/such/place", (string?)body["failures"]!["nowhere"]!["message"]);
        await service.CreateAsync("""{"title":"a"}""");
        await Until.TrueAsync(async () =>
            (await GetAsync(service)).Body["successes"]!.AsArray().Any(name => (string?)name == "not-empty"),
            "the check to see the task");
    }

    [Fact]
    public async Task Who_asks_while_a_check_runs_shares_its_result()
    {
        var calls = 0;
        var end = new TaskCompletionSource<HealthCheckResult>();
        await using var service = await StartAsync(setup: builder => builder.Services.AddHealthChecks()
            .AddAsyncCheck("shared", async () =>
            {
                Interlocked.Increment(ref calls);
                return await end.Task;
            }));
        var answers = Enumerable.Range(0, 20).Select(_ => GetAsync(service)).ToList();
        await Until.TrueAsync(() => Volatile.Read(ref calls) == 1, "the check to begin");
        end.SetResult(HealthCheckResult.Healthy());
        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(1, calls);
    }

    [Fact]
    public async Task A_check_that_never_ends_fails_and_is_not_started_again()
    {
        var calls = 0;
        var never = new TaskCompletionSource<HealthCheckResult>();
        await using var service = await StartAsync(setup: builder => builder.Services.AddHealthChecks().Add(new(
            "stuck", _ => new Stuck(() => Interlocked.Increment(ref calls), never.Task), null, [],
            TimeSpan.FromMilliseconds(20))));
        var (status, body) = await GetAsync(service);
        Assert.Equal(500, status);
        Assert.Equal("it did not answer within 20 ms", (string?)body["failures"]!["stuck"]!["message"]);
        await Until.TrueAsync(async () => (string?)(await GetAsync(service)).Body["failures"]!["stuck"]!["message"]
            == "it still runs since an earlier request", "the result of a second to be old");
        Assert.Equal(1, calls);
        never.SetResult(HealthCheckResult.Healthy());
        await Until.TrueAsync(async () => (await GetAsync(service)).Status == 200, "the check to run again");
    }

    [Theory]
    [InlineData("{ level: 1 }", "operations.health.checks.0: must have one of url, free-space, at-least-one")]
    [InlineData("{ url: 'ftp://x' }", "operations.health.checks.0.url: must be a URL of http or https")]
    [InlineData("{ at-least-one: taks }", "operations.health.checks.0.at-least-one: \"taks\" is not a table")]
    [InlineData("{ free-space: ., timeout-ms: 0 }", "operations.health.checks.0.timeout-ms: must be a whole number")]
    [InlineData("{ free-space: . }, { free-space: . }", "operations.health.checks.1.name: \"free-space_.\" is")]
    public void Wrong_checks_are_problems(string checks, string problem)
    {
        var yaml = $"task-db: {{ memory: }}\noperations: {{ health: {{ checks: [{checks}] }} }}";
        var error = Assert.Throws<ConfigException>(() => Settings.Read(
            "test.yaml", yaml, new Dictionary<string, string>(), new CommandLineOptions()));
        Assert.Contains(error.Problems, line => line.StartsWith($"test.yaml:2: {problem}", StringComparison.Ordinal));
    }

    private static Task<RunningService> StartAsync(string checks = "", Action<WebApplicationBuilder>? setup = null) =>
        RunningService.StartAsync(
            setup: setup, operations: $"secret: {Secret}, health: {{ checks: [{checks}] }}");

    private static async Task<(int Status, JsonNode Body)> GetAsync(RunningService service, string query = "")
    {
        using var client = service.Operator(Secret);
        using var response = await client.GetAsync(new Uri($"/ops/health_check{query}", UriKind.Relative));
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }

    /// <summary>Ignores its token.</summary>
    private sealed class Stuck(Action begin, Task<HealthCheckResult> end) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(
            HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            begin();
            return end;
        }
    }
}
