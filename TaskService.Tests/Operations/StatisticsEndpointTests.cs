using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskService.Operations;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

public sealed class StatisticsEndpointTests
{
    private const string Secret = "the-secret-of-statistics";
    private const string Path = "/ops/stats.json";
    private const string Own = "route/GET/ops/stats.json/200";

    [Fact]
    public async Task Requests_and_what_they_do_are_timed_by_method_route_and_status()
    {
        await using var service = await StartAsync();
        await service.CreateAsync("""{"title":"a"}""");
        using var list = await service.SendAsync("GET", "/tasks");
        using var task = await service.SendAsync("GET", "/tasks/none");
        using var nothing = await service.SendAsync("GET", "/nothing/here");
        using var head = await service.SendAsync("HEAD", "/tasks");
        var stats = await GetAsync(service);
        Assert.Equal(
            [
                "request/store/create", "request/store/find", "request/store/list", "route/GET/_not_found/404",
                "route/GET/tasks/200", "route/GET/tasks/{id}/404", "route/HEAD/tasks/200", "route/POST/tasks/201",
            ],
            Keys(stats, "timers"));
        foreach (var timer in stats.GetProperty("timers").EnumerateObject().Select(one => one.Value))
        {
            Assert.Equal(
                ["nb", "avg_ms", "min_ms", "max_ms", "p50_ms", "p90_ms", "p99_ms"],
                timer.EnumerateObject().Select(member => member.Name));
            Assert.InRange(Value(timer, "avg_ms"), Value(timer, "min_ms"), Value(timer, "max_ms"));
            Assert.InRange(Value(timer, "p90_ms"), Value(timer, "p50_ms"), Value(timer, "p99_ms"));
        }
        Assert.Equal(2, Value(stats.GetProperty("timers").GetProperty("request/store/list"), "nb"));
    }

    [Fact]
    public async Task What_a_reset_returns_is_what_it_clears()
    {
        await using var service = await StartAsync();
        using var list = await service.SendAsync("GET", "/tasks");
        using var client = service.Operator(Secret);
        using var request = new HttpRequestMessage(HttpMethod.Head, $"{Path}?reset=1");
        using var head = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        var taken = await GetAsync(service, "?reset=1");
        Assert.Contains("route/GET/tasks/200", Keys(taken, "timers"));
        var after = await GetAsync(service);
        Assert.Equal([Own], Keys(after, "timers"));
        Assert.True(after.GetProperty("since").GetDateTime() > taken.GetProperty("since").GetDateTime());
        // The call that came between.
        Assert.Equal(2, Value((await GetAsync(service, "?reset=0")).GetProperty("timers").GetProperty(Own), "nb"));
    }

    [Fact]
    public async Task Requests_are_in_exactly_one_response_while_resets_go_on()
    {
        await using var service = await StartAsync();
        var working = Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            for (var i = 0; i < 250; i++)
            {
                using var response = await service.SendAsync("GET", "/tasks");
            }
        }));
        var count = 0.0;
        do
        {
            count += Count(await GetAsync(service, "?reset=1"));
        }
        while (!working.IsCompleted);
        await working;
        // A response is received a moment before its operation ends.
        await Until.TrueAsync(
            async () => (count += Count(await GetAsync(service, "?reset=1"))) >= 1_000, "all requests");
        Assert.Equal(1_000, count);

        static double Count(JsonElement stats) =>
            stats.GetProperty("timers").TryGetProperty("route/GET/tasks/200", out var timer) ? Value(timer, "nb") : 0;
    }

    [Theory]
    [InlineData("?reset=2")]
    [InlineData("?reset=")]
    [InlineData("?reset=yes")]
    [InlineData("?reset=1&reset=1")]
    public async Task Another_reset_is_400_and_clears_nothing(string query)
    {
        await using var service = await StartAsync();
        using var list = await service.SendAsync("GET", "/tasks");
        using var client = service.Operator(Secret);
        using var response = await client.GetAsync(new Uri(Path + query, UriKind.Relative));
        var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", "GET", Path);
        Assert.StartsWith("reset must be 0 or 1", body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("route/GET/tasks/200", Keys(await GetAsync(service), "timers"));
    }

    [Fact]
    public async Task Timers_gauges_and_counters_of_a_service_are_there_by_the_parts_of_their_names()
    {
        using var meter = new Meter("Test.Of.Statistics");
        var gauge = meter.CreateGauge<int>("test.gauge/s");
        var counter = meter.CreateCounter<int>("test.counter");
        await using var service = await StartAsync($"meters: [{meter.Name}]", builder =>
            builder.Services.AddHealthChecks().AddCheck("own", () =>
            {
                gauge.Record(42);
                counter.Add(1);
                counter.Add(2, new KeyValuePair<string, object?>("kind", "a/b"));
                using var query = Operation.Start(".sql");
                query.Set("query", "SELECT hello.id FROM hello WHERE x IN ('a', 'b') LIMIT 3");
                using var timer = Operation.Start("test.timer/s");
                return HealthCheckResult.Healthy();
            }));
        using var ready = await service.SendAsync("GET", "/health/ready");
        var stats = await GetAsync(service, "?reset=1");
        Assert.Equal("""{"test/gauge_s":42}""", stats.GetProperty("gauges").GetRawText());
        Assert.Equal("""{"test/counter":1,"test/counter/a_b":2}""", stats.GetProperty("counters").GetRawText());
        var timers = stats.GetProperty("timers");
        Assert.Equal(1, Value(timers.GetProperty("sql/SELECT FROM hello WHERE x IN (?) LIMIT ?"), "nb"));
        Assert.Equal(1, Value(timers.GetProperty("test/timer_s"), "nb"));
        stats = await GetAsync(service);
        Assert.Equal("{}", stats.GetProperty("gauges").GetRawText());
        Assert.Equal("{}", stats.GetProperty("counters").GetRawText());
    }

    [Theory]
    [InlineData("/hello", "route/GET/hello/200")]
    [InlineData("/", "route/GET//200")]
    [InlineData("_not_found", "route/GET/_not_found/200")]
    [InlineData("/tasks/{id}/sub", "route/GET/tasks/{id}/sub/200")]
    public void The_key_of_a_request_has_the_segments_of_its_route(string route, string key) =>
        Assert.Equal(key, StatisticsEndpoint.KeyOf(MetricName.Of(SomeRecord.Request(route))));

    [Fact]
    public async Task Exporters_log_handlers_and_the_runtime_have_their_figures()
    {
        using var directory = new TemporaryDirectory();
        await using var service = await StartAsync(logging: $$"""
            logging: { handlers: { quiet: { type: console, level: none } } }
            telemetry: { exporters: { events: { type: json, path: '{{directory.File("events")}}' } } }
            """);
        using var list = await service.SendAsync("GET", "/tasks");
        await Until.TrueAsync(
            async () => Value((await GetAsync(service)).GetProperty("exporters").GetProperty("events"), "sent") > 1,
            "events that were sent");
        var stats = await GetAsync(service);
        var events = stats.GetProperty("exporters").GetProperty("events");
        Assert.Equal(["produced", "sent", "queued", "dropped"], events.EnumerateObject().Select(one => one.Name));
        Assert.Equal(
            Value(events, "produced"),
            Value(events, "sent") + Value(events, "queued")
                + events.GetProperty("dropped").EnumerateObject().Sum(one => one.Value.GetInt64()));
        Assert.Equal("""{"quiet":0}""", stats.GetProperty("log_drops").GetRawText());
        var runtime = stats.GetProperty("runtime");
        foreach (var name in (string[])["uptime_s", "cpu_s", "working_set_bytes", "gc_heap_bytes", "threads"])
        {
            Assert.True(Value(runtime, name) > 0, name);
        }
        Assert.Equal(GC.MaxGeneration + 1, runtime.GetProperty("gc_collections").GetArrayLength());
        Assert.Equal(5, runtime.GetProperty("gc_generation_bytes").GetArrayLength());
    }

    private static Task<RunningService> StartAsync(
        string operations = "", Action<WebApplicationBuilder>? setup = null, string? logging = null) =>
        RunningService.StartAsync(
            logging: logging, setup: setup, operations: $"stats-secret: {Secret}, {operations}");

    private static async Task<JsonElement> GetAsync(RunningService service, string query = "")
    {
        using var client = service.Operator(Secret);
        return JsonElement.Parse(await client.GetStringAsync(new Uri(Path + query, UriKind.Relative)));
    }

    // Without the statements that other tests of this process run outside of requests.
    private static IEnumerable<string> Keys(JsonElement stats, string section) =>
        stats.GetProperty(section).EnumerateObject().Select(one => one.Name)
            .Where(key => !key.StartsWith("sql/", StringComparison.Ordinal));

    private static double Value(JsonElement value, string member) => value.GetProperty(member).GetDouble();
}
