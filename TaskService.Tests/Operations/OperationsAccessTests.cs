using System.Net;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

public sealed class OperationsAccessTests
{
    private const string Secret = "the-secret-of-everything";
    private const string StatsSecret = "the-secret-of-statistics";
    private const string LogSecret = "the-secret-of-log-levels";
    private const string Path = "/ops/versions.json";

    [Theory]
    [InlineData("")]
    [InlineData("secret: ''")]
    [InlineData("secret: off")]
    [InlineData("secret: '0', stats-secret: 'false'")]
    [InlineData($"secret: {Secret}, stats-secret: 'no'")]
    [InlineData($"log-view-secret: {LogSecret}")]
    public async Task What_no_secret_opens_is_not_there(string operations)
    {
        await using var service = await RunningService.StartAsync(operations: operations);
        using var response = await GetAsync(service, Path, ("X-API-Key", Secret));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        await ErrorBody.AssertAsync(response, 404, "Unknown Endpoint", "GET", Path);
        using var options = await service.SendAsync("OPTIONS", Path);
        Assert.Equal(HttpStatusCode.NotFound, options.StatusCode);
    }

    [Theory]
    [InlineData("X-API-Key", Secret)]
    [InlineData("X-API-Key", StatsSecret)]
    [InlineData("Authorization", $"Bearer {Secret}")]
    [InlineData("Authorization", $"bearer  {StatsSecret} ")]
    public async Task A_secret_opens_it_in_either_header(string header, string value)
    {
        await using var service = await RunningService.StartAsync(
            operations: $"secret: {Secret}, stats-secret: {StatsSecret}");
        using var response = await GetAsync(service, Path, (header, value));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task Without_a_secret_it_is_401_and_with_one_of_something_else_403()
    {
        await using var service = await RunningService.StartAsync(
            operations: $"stats-secret: {StatsSecret}, log-view-secret: {LogSecret}");
        using var none = await GetAsync(service, Path);
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        Assert.Equal("Bearer", none.Headers.WwwAuthenticate.Single().Scheme);
        Assert.Equal("no-store", none.Headers.CacheControl?.ToString());
        await ErrorBody.AssertAsync(none, 401, "Unauthorized", "GET", Path);
        using var query = await GetAsync(service, $"{Path}?secret={StatsSecret}");
        Assert.Equal(HttpStatusCode.Unauthorized, query.StatusCode);
        using var other = await GetAsync(service, Path, ("X-API-Key", LogSecret));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        await ErrorBody.AssertAsync(other, 403, "Forbidden", "GET", Path);
    }

    [Fact]
    public async Task Secrets_in_the_query_are_taken_when_that_is_switched_on()
    {
        await using var service = await RunningService.StartAsync(
            operations: "secret-in-query: true, secret: 'grün wie die Hoffnung'");
        using var right = await GetAsync(service, $"{Path}?secret={Uri.EscapeDataString("grün wie die Hoffnung")}");
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
        using var wrong = await GetAsync(service, $"{Path}?secret=gelb-wie-der-Neid");
        Assert.Equal(HttpStatusCode.Forbidden, wrong.StatusCode);
    }

    [Fact]
    public async Task After_five_wrong_secrets_within_a_minute_the_client_is_refused_whatever_it_sends()
    {
        await using var service = await RunningService.StartAsync(operations: $"secret: {Secret}");
        using var hits = new LimitHits();
        for (var i = 0; i < 5; i++)
        {
            using var wrong = await GetAsync(service, Path, ("X-API-Key", $"wrong-{i}"));
            Assert.Equal(HttpStatusCode.Forbidden, wrong.StatusCode);
        }
        using var right = await GetAsync(service, Path, ("X-API-Key", Secret));
        Assert.Equal(HttpStatusCode.TooManyRequests, right.StatusCode);
        Assert.InRange(right.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal(1, hits["taskservice.http.limit.hits operations-failures-a-minute-max"]);
        using var none = await GetAsync(service, Path);
        Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        using var api = await GetAsync(service, "/tasks", ("X-API-Key", "wrong"));
        Assert.Equal(HttpStatusCode.OK, api.StatusCode);
    }

    [Fact]
    public async Task With_a_port_of_their_own_they_are_there_alone_and_health_is_on_both()
    {
        using var port = new ReservedPort();
        var other = port.Number;
        await using var service = await RunningService.StartAsync(
            operations: $"secret: {Secret}, port: {other}, base-path: ''");
        foreach (var (path, isOwn, isCommon) in new[]
        {
            ("/versions.json", true, false), ("/health/live", true, true), ("/health/ready", true, true),
            ("/tasks", false, true), ("/openapi.json", false, true),
        })
        {
            foreach (var method in new[] { HttpMethod.Get, HttpMethod.Options, HttpMethod.Trace })
            {
                Assert.Equal(isCommon, await IsThereAsync(service.Port, method, path));
                Assert.Equal(isOwn, await IsThereAsync(other, method, path));
            }
        }

        async Task<bool> IsThereAsync(int at, HttpMethod method, string path)
        {
            using var client = new HttpClient();
            using var request = new HttpRequestMessage(method, new Uri($"http://127.0.0.1:{at}{path}"));
            // The port that a client names does not count.
            request.Headers.Host = $"127.0.0.1:{(at == other ? service.Port : other)}";
            request.Headers.Add("X-API-Key", Secret);
            using var response = await client.SendAsync(request);
            return response.StatusCode != HttpStatusCode.NotFound;
        }
    }

    [Fact]
    public async Task The_scheme_of_a_team_stays_the_default_one()
    {
        var name = await DefaultSchemeAsync(builder => builder.Services.AddAuthentication().AddCookie("Team"));
        Assert.Equal("Team", name);
    }

    [Fact]
    public async Task Alone_it_is_not_the_default_scheme() => Assert.Null(await DefaultSchemeAsync(_ => { }));

    [Theory]
    [InlineData("secret: short", "operations.secret: must have at least 16 characters")]
    [InlineData("stats-secret: '1'", "operations.stats-secret: must have at least 16 characters")]
    [InlineData("base-path: ops", "operations.base-path: must be empty or a path such as /ops")]
    [InlineData("base-path: /ops/", "operations.base-path: must be empty or a path such as /ops")]
    [InlineData("base-path: '/{ops}'", "operations.base-path: must be empty or a path such as /ops")]
    [InlineData("port: 8080", "operations.port: 8080 is that of the service")]
    [InlineData("port: 0", "operations.port: must be a whole number from 1 to 65535")]
    [InlineData("secrets: x", "operations.secrets: unknown key (did you mean \"secret\"?)")]
    public void Wrong_settings_are_problems(string operations, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(operations));
        Assert.Contains(error.Problems, line => line.StartsWith($"test.yaml:2: {problem}", StringComparison.Ordinal));
        Assert.DoesNotContain("short", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_of_the_environment_that_are_known_elsewhere_are_understood_below_those_of_the_service()
    {
        var known = new Dictionary<string, string>
        {
            ["C2C_BASE_PATH"] = "/x",
            ["LOG_VIEW_SECRET"] = "a-secret-of-log-levels",
            ["SQL_PROFILER_SECRET"] = "a-secret-of-statements",
            ["DEBUG_VIEW_SECRET"] = "a-secret-of-debugging",
            ["STATS_VIEW"] = "0",
        };
        var settings = Read($"base-path: /y, stats-secret: {StatsSecret}", known);
        Assert.Equal("/x", settings.BasePath);
        Assert.Equal(
            OperationsFeatures.LogLevels | OperationsFeatures.SqlProfiler | OperationsFeatures.Debug, settings.Enabled);
        known["TASKSERVICE__OPERATIONS__BASE_PATH"] = "/z";
        known["TASKSERVICE__OPERATIONS__STATS_SECRET"] = StatsSecret;
        settings = Read("", known);
        Assert.Equal("/z", settings.BasePath);
        Assert.Equal(OperationsFeatures.All, settings.Enabled);
    }

    [Fact]
    public void Secrets_are_not_printed()
    {
        var (_, source) = Settings.Read(
            "test.yaml",
            $"task-db: {{ memory: }}\noperations: {{ secret: {Secret}, stats-secret: '' }}",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        using var output = new StringWriter();
        source.Print(output);
        Assert.DoesNotContain(Secret, output.ToString(), StringComparison.Ordinal);
        Assert.Contains("secret: \"***\"", output.ToString(), StringComparison.Ordinal);
    }

    private static OperationsSettings Read(string operations, Dictionary<string, string>? environment = null)
    {
        var yaml = $"task-db: {{ memory: }}\noperations: {{ {operations} }}";
        var (settings, _) = Settings.Read("test.yaml", yaml, environment ?? [], new CommandLineOptions());
        return settings.Operations;
    }

    private static async Task<string?> DefaultSchemeAsync(Action<WebApplicationBuilder> setup)
    {
        IServiceProvider? services = null;
        await using var service = await RunningService.StartAsync(
            operations: $"secret: {Secret}",
            setup: builder =>
            {
                setup(builder);
                builder.Services.AddSingleton<IHostedService>(provider => new Start(() => services = provider));
            });
        var schemes = services!.GetRequiredService<IAuthenticationSchemeProvider>();
        return (await schemes.GetDefaultAuthenticateSchemeAsync())?.Name;
    }

    private static async Task<HttpResponseMessage> GetAsync(
        RunningService service, string path, params (string Name, string Value)[] headers)
    {
        using var client = service.Operator();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await client.SendAsync(request);
    }

    private sealed class Start(Action action) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            action();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
