using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using TaskService.Acceptance.Contract;
using TaskService.Tests.Support;

namespace TaskService.Tests.Acceptance;

/// <summary>The contract that <c>run.cs accept</c> checks holds for the service, and fails for others.</summary>
[Trait("Suite", "integration")]
public sealed class HttpContractTests
{
    private const string Tool = "TaskService.Acceptance.dll";

    private static readonly string[] NeverChecked =
    [
        "a body that does not arrive in time is 408", "too many requests at once are 503 with Retry-After",
        "a storage that fails is 503, one that is full 507",
    ];

    private static readonly string[] OfKeys =
    [
        "with a key alone: a request without one is 401 with WWW-Authenticate",
        "with a key alone: a request with a wrong one is 401 or 403",
    ];

    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task All_of_it_holds_for_the_service_and_leaves_nothing_behind(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        var kept = await service.CreateAsync("""{"title":"of another"}""");
        var findings = await CheckAsync(service.Client.BaseAddress!);
        Assert.Empty(Failed(findings));
        Assert.Equal([.. OfKeys, .. NeverChecked], Texts(findings, Verdict.NotChecked));
        Assert.True(findings.Count(finding => finding.Verdict == Verdict.Holds) >= 200);
        Assert.Equal(findings.Count, findings.Select(finding => finding.Text).Distinct().Count());
        using var list = await service.SendAsync("GET", "/tasks");
        var left = JsonElement.Parse(await list.Content.ReadAsStringAsync()).EnumerateObject();
        Assert.Equal(kept, $"/tasks/{Assert.Single(left).Name}");
    }

    [Theory]
    [InlineData("cors: { origins: ['https://shop.example'] }")]
    [InlineData("authentication: api-keys, api-keys: { accept: 5f2b6c1e8d9a4370b1c2 }")]
    public async Task It_holds_with_other_settings(string http)
    {
        await using var service = await RunningService.StartAsync(http: http);
        Assert.Empty(Failed(await CheckAsync(service.Client.BaseAddress!, "5f2b6c1e8d9a4370b1c2")));
    }

    [Fact]
    public async Task A_service_that_wants_a_key_gets_it_and_must_refuse_who_has_none()
    {
        await using var service = await RunningService.StartAsync(setup: Wrap((http, next) =>
            http.Request.Headers["X-API-Key"] == "k" || http.Request.Path.StartsWithSegments("/health")
                ? next(http) : RefuseAsync(http)));
        var findings = await CheckAsync(service.Client.BaseAddress!, "k");
        Assert.Empty(Failed(findings));
        Assert.Equal(NeverChecked, Texts(findings, Verdict.NotChecked));
    }

    [Theory]
    [InlineData("Allow", "with Allow")]
    [InlineData("Link", "has a Link to the next page")]
    [InlineData("Accept-Patch", "with Accept-Patch")]
    [InlineData("Content-Encoding", "answers in ")]
    public async Task A_header_that_is_missing_fails_what_is_said_of_it_and_nothing_else(string header, string text)
    {
        await using var service = await RunningService.StartAsync(setup: Wrap((http, next) =>
        {
            http.Response.OnStarting(() => Task.FromResult(http.Response.Headers.Remove(header)));
            return next(http);
        }));
        var failed = Failed(await CheckAsync(service.Client.BaseAddress!));
        Assert.NotEmpty(failed);
        Assert.Equal(
            HttpContract.All.Select(statement => statement.Text)
                .Where(statement => statement.Contains(text, StringComparison.Ordinal)),
            failed.Select(finding => finding.Text));
        Assert.All(failed, finding => Assert.NotEmpty(finding.Exchange));
    }

    [Fact]
    public async Task Each_statement_fails_for_one_at_least_of_the_servers_that_know_one_answer_only()
    {
        var failed = new HashSet<string>();
        foreach (var (status, type, body) in new[]
        {
            (200, "application/json", "{}"), (201, "application/json", ""), (404, "application/problem+json", "{}"),
        })
        {
            await using var server = await StubServer.StartAsync(async http =>
            {
                http.Response.StatusCode = status;
                http.Response.Headers.CacheControl = "no-cache";
                http.Response.Headers["X-Request-ID"] = "always-the-same";
                http.Response.Headers.Location = "/tasks/always-the-same";
                if (body.Length > 0)
                {
                    http.Response.ContentType = type;
                    await http.Response.WriteAsync(body);
                }
            });
            failed.UnionWith(Failed(await CheckAsync(server.Url)).Select(finding => finding.Text));
        }
        Assert.Empty(HttpContract.All.Select(statement => statement.Text).Except(failed).Except(NeverChecked));
    }

    [Fact]
    public async Task The_program_prints_a_line_a_statement_and_their_number()
    {
        await using var service = await RunningService.StartAsync();
        var url = service.Client.BaseAddress!.OriginalString;
        var output = await DotnetCommand.AssertRunsAsync(AppContext.BaseDirectory, [], Tool, "--url", url);
        var lines = output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        Assert.Contains("ok   POST /tasks answers 201 with Location", lines);
        Assert.Contains($"skip {OfKeys[0]}: the service wants no key", lines);
        var held = lines.Count(line => line.StartsWith("ok   ", StringComparison.Ordinal));
        Assert.Equal($"{held} held, 0 failed", lines[^1]);
        Assert.Equal(HttpContract.All.Count + 2, lines.Length);
    }

    [Fact]
    public async Task The_program_says_what_does_not_hold_and_why()
    {
        await using var service = await RunningService.StartAsync(setup: Wrap((http, next) =>
        {
            http.Response.OnStarting(() => Task.FromResult(http.Response.Headers.Remove("Accept-Patch")));
            return next(http);
        }));
        var url = service.Client.BaseAddress!.OriginalString;
        var output = await DotnetCommand.AssertFailsAsync(AppContext.BaseDirectory, Tool, "--url", url);
        Assert.Contains(
            "FAIL PATCH /tasks/{id} of another type is 415 with Accept-Patch: PATCH /tasks/none: "
            + "expected Accept-Patch: application/merge-patch+json, was none", output, StringComparison.Ordinal);
        Assert.Contains("     < 415", output, StringComparison.Ordinal);
        Assert.EndsWith(" held, 1 failed", output.TrimEnd(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--url takes the address of a running service", "--key", "k")]
    [InlineData("--url takes the address of a running service", "--url", "localhost:8080")]
    [InlineData("unknown option '--uri'", "--uri", "http://localhost")]
    [InlineData("--url needs a value", "--url")]
    [InlineData("no response: ", "--url", "http://127.0.0.1:1")]
    public async Task The_program_says_what_it_lacks(string problem, params string[] args) =>
        Assert.Contains(
            problem, await DotnetCommand.AssertFailsAsync(AppContext.BaseDirectory, [Tool, .. args]),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("wants a key: give it with --key")]
    [InlineData("does not take this key", "--key", "wrong")]
    public async Task The_program_says_that_it_needs_another_key(string problem, params string[] key)
    {
        await using var server = await StubServer.StartAsync(RefuseAsync);
        var output = await DotnetCommand.AssertFailsAsync(
            AppContext.BaseDirectory, [Tool, "--url", server.Url.OriginalString, .. key]);
        Assert.Contains(problem, output, StringComparison.Ordinal);
    }

    private static async Task<List<Finding>> CheckAsync(Uri url, string? key = null)
    {
        var findings = new List<Finding>();
        await foreach (var finding in HttpContract.CheckAsync(url, key))
        {
            findings.Add(finding);
        }
        return findings;
    }

    private static List<Finding> Failed(List<Finding> findings) =>
        findings.FindAll(finding => finding.Verdict == Verdict.Fails);

    private static IEnumerable<string> Texts(List<Finding> findings, Verdict verdict) =>
        findings.Where(finding => finding.Verdict == verdict).Select(finding => finding.Text);

    private static Task RefuseAsync(HttpContext http)
    {
        http.Response.StatusCode = (int)HttpStatusCode.Unauthorized;
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers.WWWAuthenticate = "ApiKey";
        http.Response.Headers["X-Request-ID"] = "id1";
        return http.Response.WriteAsJsonAsync(
            new
            {
                type = "about:blank",
                title = "Unauthorized",
                status = 401,
                method = http.Request.Method,
                uri = http.Request.Path.Value,
                code = 401,
                message = "Unauthorized",
                request_id = "id1",
            },
            options: null,
            "application/problem+json");
    }

    /// <summary>Puts something in front of the whole pipeline.</summary>
    private static Action<WebApplicationBuilder> Wrap(Func<HttpContext, RequestDelegate, Task> around) =>
        builder => builder.Services.AddSingleton<IStartupFilter>(new Front(around));

    private sealed class Front(Func<HttpContext, RequestDelegate, Task> around) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(around);
            next(app);
        };
    }
}
