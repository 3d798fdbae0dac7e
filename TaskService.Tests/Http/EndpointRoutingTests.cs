using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>Endpoints of a service's own, mapped as the framework's documentation shows.</summary>
public sealed class EndpointRoutingTests : IAsyncLifetime
{
    private readonly HttpClient client = new();
    private ObservedApp app = null!;
    private int cached;
    private int lines;

    public async ValueTask InitializeAsync()
    {
        app = await ObservedApp.StartAsync(addRoutes: AddEndpoints, addServices: AddServices);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await app.DisposeAsync();
    }

    [Theory]
    [InlineData("GET", "/admin/ping", 200, "/admin/ping")]
    [InlineData("GET", "/admin/ping/", 200, "/admin/ping")]
    [InlineData("HEAD", "/admin/ping", 200, "/admin/ping")]
    [InlineData("OPTIONS", "/admin/ping", 204, "/admin/ping")]
    [InlineData("DELETE", "/admin/ping", 405, "/admin/ping")]
    [InlineData("GET", "/Admin/ping", 404, "_not_found")]
    [InlineData("DELETE", "/admin/Ping", 404, "_not_found")]
    [InlineData("GET", "/admin/p%69ng", 404, "_not_found")]
    [InlineData("GET", "/admin/x/../ping", 404, "_not_found")]
    [InlineData("GET", "/admin//ping", 404, "_not_found")]
    [InlineData("GET", "/admin/ping//", 404, "_not_found")]
    [InlineData("GET", "/numbers/7", 200, "/numbers/{n:int}")]
    [InlineData("GET", "/numbers/seven", 404, "_not_found")]
    [InlineData("DELETE", "/numbers/seven", 404, "_not_found")]
    [InlineData("PUT", "/numbers/first", 405, "/numbers/first")]
    [InlineData("DELETE", "/numbers/first", 405, "/numbers/first")]
    [InlineData("DELETE", "/numbers/7", 204, "/numbers/{n:int}")]
    [InlineData("GET", "/projects/1/tasks/2", 200, "/projects/{projectId}/tasks/{id}")]
    [InlineData("GET", "/projects/1/Tasks/2", 404, "_not_found")]
    [InlineData("GET", "/groups", 200, "/groups")]
    [InlineData("GET", "/a/b/c", 200, "/a/{x}/c")]
    [InlineData("POST", "/a/b/c", 200, "/a/b/{y}")]
    [InlineData("DELETE", "/a/b/c", 405, "/a/b/{y}")]
    [InlineData("GET", "/a/B/c", 200, "/a/{x}/c")]
    [InlineData("POST", "/a/B/c", 405, "/a/{x}/c")]
    [InlineData("GET", "/case/one", 200, "/case/one")]
    [InlineData("GET", "/case/ONE", 200, "/case/ONE")]
    [InlineData("GET", "/case/One", 404, "_not_found")]
    [InlineData("GET", "/files/report.json", 200, "/files/{name}.json")]
    [InlineData("GET", "/files/report.JSON", 404, "_not_found")]
    [InlineData("PROPFIND", "/any", 200, "/any")]
    [InlineData("GET", "/null", 404, "/null")]
    public async Task A_path_and_a_method_are_compared_as_they_were_sent(
        string method, string path, int status, string route)
    {
        var line = await SendAsync(method, path, status);
        Assert.Equal(route, line.Line["route"]);
    }

    [Theory]
    [InlineData("/admin/ping", "GET, HEAD, OPTIONS")]
    [InlineData("/numbers/first", "GET, HEAD, OPTIONS")]
    [InlineData("/numbers/7", "GET, HEAD, DELETE, OPTIONS")]
    [InlineData("/a/b/c", "GET, HEAD, POST, OPTIONS")]
    [InlineData("/a/B/c", "GET, HEAD, OPTIONS")]
    [InlineData("/verbs", "QUERY, OPTIONS")]
    public async Task Each_path_says_which_methods_it_has(string path, string allow)
    {
        using var refused = (await SendAsync("BREW", path, 405)).Response;
        Assert.Equal(allow, string.Join(", ", refused.Content.Headers.Allow));
        using var asked = (await SendAsync("OPTIONS", path, 204)).Response;
        Assert.Equal(allow, string.Join(", ", asked.Content.Headers.Allow));
    }

    [Fact]
    public async Task Authentication_and_authorization_answer_with_an_id_a_line_and_a_problem()
    {
        using var challenged = (await SendAsync("GET", "/secret", 401)).Response;
        Assert.Equal("ApiKey", challenged.Headers.WwwAuthenticate.ToString());
        await SendAsync("GET", "/secret", 403, ("X-API-Key", "reader"));
        var allowed = await SendAsync("GET", "/secret", 200, ("X-API-Key", "admin"));
        Assert.Equal("secret of admin", await allowed.Response.Content.ReadAsStringAsync());
        await SendAsync("DELETE", "/secret", 405);
        await SendAsync("OPTIONS", "/secret", 204);
    }

    [Fact]
    public async Task Cors_answers_preflights_and_marks_responses()
    {
        var preflight = await SendAsync(
            "OPTIONS", "/shared", 204,
            ("Origin", "https://shop.example"), ("Access-Control-Request-Method", "GET"));
        Assert.Equal(
            "https://shop.example", Assert.Single(preflight.Response.Headers.GetValues("Access-Control-Allow-Origin")));
        var read = await SendAsync("GET", "/shared", 200, ("Origin", "https://shop.example"));
        Assert.Equal(
            "https://shop.example", Assert.Single(read.Response.Headers.GetValues("Access-Control-Allow-Origin")));
        var foreign = await SendAsync("GET", "/shared", 200, ("Origin", "https://evil.example"));
        Assert.False(foreign.Response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_rate_limit_is_429_and_a_request_timeout_504()
    {
        await SendAsync("GET", "/limited", 200);
        var limited = await SendAsync("GET", "/limited", 429);
        Assert.Equal("/limited", limited.Line["route"]);
        var slow = await SendAsync("GET", "/slow", 504);
        Assert.Equal("/slow", slow.Line["route"]);
    }

    [Fact]
    public async Task A_cached_response_has_the_id_of_its_own_request_and_is_of_its_own_path()
    {
        var first = await SendAsync("GET", "/cached/a", 200);
        var second = await SendAsync("GET", "/cached/a", 200);
        Assert.Equal(
            await first.Response.Content.ReadAsStringAsync(), await second.Response.Content.ReadAsStringAsync());
        Assert.Equal(first.Line["bytes"], second.Line["bytes"]);
        Assert.Equal(1, cached);
        var other = await SendAsync("GET", "/cached/A", 200);
        Assert.Equal("cached A 2", await other.Response.Content.ReadAsStringAsync());
        var coded = await SendAsync("GET", "/cached/a", 200, ("Accept-Encoding", "gzip"));
        Assert.Equal("cached a 3", await coded.Response.Content.ReadAsStringAsync());
        await SendAsync("HEAD", "/cached/a", 200);
        await SendAsync("HEAD", "/cached/a", 200);
    }

    [Fact]
    public async Task A_response_with_an_id_of_its_own_is_not_cached()
    {
        using var first = await client.GetAsync(new Uri(app.Address, "/cached-own?first"));
        using var second = await client.GetAsync(new Uri(app.Address, "/cached-own?second"));
        Assert.Equal("?first", Assert.Single(first.Headers.GetValues("X-Request-ID")));
        Assert.Equal("?second", Assert.Single(second.Headers.GetValues("X-Request-ID")));
    }

    [Fact]
    public async Task A_response_that_a_middleware_has_cleared_has_its_id() =>
        Assert.Equal("cleared", await (await SendAsync("GET", "/cleared", 200)).Response.Content.ReadAsStringAsync());

    [Fact]
    public async Task Filters_and_exceptions_of_an_endpoint_are_answered_as_all_are()
    {
        await SendAsync("GET", "/filtered", 418);
        await SendAsync("GET", "/throws", 500);
        using var bad = (await SendAsync("GET", "/bound?n=x", 400)).Response;
        using var bound = (await SendAsync("GET", "/bound?n=3", 200)).Response;
        Assert.Equal("3", await bound.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/a/{x}", "/a/{y}", "endpoints: GET /a/{y} is mapped twice; map it once")]
    [InlineData("/a/{x:int}", "/a/{y:int}", "endpoints: GET /a/{y:int} is mapped twice; map it once")]
    [InlineData("/a/{x:int}", "/b/{y:color}", "endpoints: /b/{y:color}: The constraint reference 'color' ")]
    public async Task Endpoints_that_cannot_be_told_apart_or_built_end_the_start(
        string one, string other, string problem)
    {
        var error = await Assert.ThrowsAsync<ConfigException>(() => ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapGet(one, () => 1);
            routes.MapGet(other, () => 2);
        }));
        Assert.StartsWith(problem, Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_an_endpoint_has_kept_is_not_cancelled_by_another_request()
    {
        var kept = new List<CancellationToken>();
        await using var service = await ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapGet("/keeps", (CancellationToken cancel) => kept.Add(cancel));
            routes.MapGet("/waits", async (CancellationToken cancel) =>
            {
                kept.Add(cancel);
                await new TaskCompletionSource().Task.WaitAsync(cancel);
            });
        });
        for (var time = 0; time < 20; time++)
        {
            await service.GetAsync("/keeps");
            using var request = new CancellationTokenSource();
            var waiting = client.GetAsync(new Uri(service.Address, "/waits"), request.Token);
            await Until.TrueAsync(() => kept.Count == 2 * (time + 1), "the request to wait");
            await request.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            await Until.TrueAsync(() => kept[^1].IsCancellationRequested, "the cancellation");
        }
        Assert.All(kept.Where((_, at) => at % 2 == 0), token => Assert.False(token.IsCancellationRequested));
    }

    private static void AddServices(IServiceCollection services)
    {
        services.AddCors(cors => cors.AddPolicy("shop", policy => policy.WithOrigins("https://shop.example")));
        services.AddAuthentication("ApiKey").AddScheme<AuthenticationSchemeOptions, SomeApiKey>("ApiKey", null);
        services.AddAuthorization(options => options.AddPolicy("admin", policy => policy.RequireRole("admin")));
        services.AddRateLimiter(limiter => limiter.AddFixedWindowLimiter("once", options =>
            (options.PermitLimit, options.Window) = (1, TimeSpan.FromDays(1))));
        services.AddRequestTimeouts();
        services.AddOutputCache();
    }

    private void AddEndpoints(WebApplication routes)
    {
        routes.MapGet("/admin/ping", () => "pong");
        routes.MapGet("/numbers/{n:int}", (int n) => n);
        routes.MapDelete("/numbers/{n:int}", (int n) => Results.NoContent());
        routes.MapGet("/numbers/first", () => 1);
        routes.MapGet("/projects/{projectId}/tasks/{id}", (string projectId, string id) => $"{projectId} {id}");
        routes.MapGroup("/groups").MapGet("/", () => "group");
        routes.MapGet("/a/{x}/c", (string x) => x);
        routes.MapPost("/a/b/{y}", (string y) => y);
#pragma warning disable ASP0022 // They are two here.
        routes.MapGet("/case/one", () => 1);
        routes.MapGet("/case/ONE", () => 2);
#pragma warning restore ASP0022
        routes.MapGet("/files/{name}.json", (string name) => name);
        routes.Map("/any", () => "any method");
        routes.MapMethods("/verbs", ["QUERY"], () => "verbs");
        routes.MapGet("/null", () => Results.NotFound());
        routes.MapGet("/secret", (ClaimsPrincipal user) => $"secret of {user.Identity!.Name}")
            .RequireAuthorization("admin");
        routes.MapGet("/shared", () => "shared").RequireCors("shop");
        routes.MapGet("/limited", () => "limited").RequireRateLimiting("once");
        routes.MapGet("/slow", async (CancellationToken cancel) =>
        {
            await new TaskCompletionSource().Task.WaitAsync(cancel);
            return "slow";
        }).WithRequestTimeout(TimeSpan.FromMilliseconds(50));
        routes.MapGet("/cached/{id}", (string id) => $"cached {id} {Interlocked.Increment(ref cached)}").CacheOutput();
        routes.MapGet("/cached-own", (HttpContext http) =>
        {
            http.Response.Headers["X-Request-ID"] = http.Request.QueryString.Value;
            return "own";
        }).CacheOutput(cache => cache.SetVaryByQuery("none"));
        routes.MapGet("/cleared", async (HttpContext http) =>
        {
            http.Response.Clear();
            await http.Response.WriteAsync("cleared");
        });
        routes.MapGet("/filtered", () => "never").AddEndpointFilter(
            (_, _) => ValueTask.FromResult<object?>(Results.StatusCode(418)));
        routes.MapGet("/bound", (int n) => n);
    }

    /// <summary>Whatever answers, there is one id, one line, and a problem where there is no other body.</summary>
    private async Task<(HttpResponseMessage Response, LogfmtLine Line)> SendAsync(
        string method, string path, int status, params (string Name, string Value)[] headers)
    {
        var id = $"request-{++lines}";
        // Sent as it is written here.
        var target = new Uri(
            $"{app.Address.GetLeftPart(UriPartial.Authority)}{path}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(method), target);
        request.Headers.Add("X-Request-ID", id);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }
        var response = await client.SendAsync(request);
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Equal(id, Assert.Single(response.Headers.GetValues("X-Request-ID")));
        if (status >= 400 && method != "HEAD")
        {
            var problem = JsonElement.Parse(await response.Content.ReadAsStringAsync());
            Assert.Equal(id, problem.GetProperty("request_id").GetString());
            Assert.Equal(status, problem.GetProperty("code").GetInt32());
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.ToString());
        }
        // A line for each request, besides those of a message of the framework.
        var line = LogfmtLine.Parse(await Until.ResultAsync(
            () => app.Logs.Read("logfmt").SingleOrDefault(line =>
                line.Contains($"req_id=\"{id}\"", StringComparison.Ordinal)
                && line.Contains("message=\"RESPONSE\"", StringComparison.Ordinal)),
            $"the line of {method} {path}"));
        Assert.Equal($"{status}", line["status"]);
        return (response, line);
    }

    private sealed class SomeApiKey(
        IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-API-Key"] is not [{ } key])
            {
                return Task.FromResult(AuthenticateResult.NoResult());
            }
            var identity = new ClaimsIdentity(
                [new Claim(ClaimTypes.Name, key), new Claim(ClaimTypes.Role, key)], Scheme.Name);
            return Task.FromResult(
                AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name)));
        }

        protected override Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            Response.StatusCode = StatusCodes.Status401Unauthorized;
            Response.Headers.WWWAuthenticate = "ApiKey";
            return Task.CompletedTask;
        }
    }
}
