using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Http;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What the pipeline makes of endpoints that misbehave, on a server with such endpoints.</summary>
public sealed class RequestPipelineTests : IAsyncLifetime
{
    private readonly LogFiles files = new();
    private readonly LogSystem logs;
    private readonly WebApplication app;
    private readonly HttpClient client = new();
    private readonly ManualResetEventSlim unblock = new();
    private readonly TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int blocked;
    private int held;

    public RequestPipelineTests()
    {
        var (settings, _) = Settings.Read(
            "test.yaml",
            "service: { address: 127.0.0.1, port: 0 }\ntask-db: { memory: }\n" + files.Yaml,
            new Dictionary<string, string>(),
            new CommandLineOptions());
        logs = new LogSystem(settings.Logging);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(logs);
        builder.Services.Configure<LoggerFilterOptions>(
            options => LoggingSettings.SetLevels(options, settings.Logging));
        Server.Configure(builder, settings.Service, settings.Http);
        app = builder.Build();
        var log = new RequestLog(
            app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice"), "Test");
        new RequestPipeline(
            log,
            OperationSource.Off,
            new RequestIds(""),
            new RequestLimits(requestsMax: 2, TimeSpan.FromSeconds(3)),
            new RequestPipeline.Options(Debug: false, ServerTiming: true),
            CancellationToken.None).Use(app, builder.Services);
        app.MapGet("/throws", _ => throw new InvalidOperationException("secret\r\nsecond line"));
        app.MapGet("/half", async (HttpContext http, CancellationToken cancel) =>
        {
            await http.Response.WriteAsync(new string('x', 100_000), cancel);
            await http.Response.Body.FlushAsync(cancel);
            throw new InvalidOperationException("in the middle");
        });
        app.MapGet("/sets", SetAsync);
        app.MapGet("/holds", async () =>
        {
            Interlocked.Increment(ref held);
            await release.Task;
            return ApiResult.NoContent;
        });
        app.MapGet("/open", (HttpContext http) =>
        {
            http.Response.StatusCode = 204;
            return Task.CompletedTask;
        }).WithMetadata(Unlimited.Metadata);
        app.MapGet("/open-blocks", (CancellationToken cancel) =>
        {
            Interlocked.Increment(ref blocked);
            unblock.Wait(cancel);
            return Task.CompletedTask;
        }).WithMetadata(Unlimited.Metadata);
        app.MapGet("/waits", async (CancellationToken cancel) =>
        {
            await new TaskCompletionSource().Task.WaitAsync(cancel);
            return ApiResult.NoContent;
        });
        app.MapGet("/open-waits", (CancellationToken cancel) => new TaskCompletionSource().Task.WaitAsync(cancel));
    }

    public async ValueTask InitializeAsync()
    {
        await app.StartAsync();
        client.BaseAddress = new Uri(app.Urls.First());
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        unblock.Set();
        await app.DisposeAsync();
        logs.Dispose();
        files.Dispose();
        unblock.Dispose();
    }

    [Fact]
    public async Task An_exception_is_500_with_one_public_text_and_its_trace_in_the_log_on_one_line()
    {
        using var response = await client.GetAsync(new Uri("/throws", UriKind.Relative));
        var body = await ErrorBody.AssertAsync(response, 500, "Internal Server Error", "GET", "/throws");
        Assert.DoesNotContain("secret", body.GetRawText(), StringComparison.Ordinal);
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(("ERROR", "500", "Internal Server Error"), (line["level"], line["status"], line["reason"]));
        Assert.StartsWith(
            "System.InvalidOperationException: secret\r\nsecond line", line["trace"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exception_in_the_middle_of_an_answer_breaks_it_off_and_is_logged_as_500()
    {
        await Assert.ThrowsAnyAsync<HttpRequestException>(
            () => client.GetStringAsync(new Uri("/half", UriKind.Relative)));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(("ERROR", "500"), (line["level"], line["status"]));
        Assert.Contains("in the middle", line["trace"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_code_sets_on_the_operation_stands_at_the_end_of_the_line_and_its_messages_carry_the_id()
    {
        using var response = await client.GetAsync(new Uri("/sets", UriKind.Relative));
        var lines = (await files.LinesAsync("logfmt", 3)).Select(LogfmtLine.Parse).ToArray();
        var id = Assert.Single(response.Headers.GetValues("X-Request-ID"));
        Assert.Equal(id, lines[1]["req_id"]);
        Assert.Equal("three of 5", lines[1]["message"]);
        Assert.Equal(("three", "5"), (lines[1]["Name"], lines[1]["Count"]));
        Assert.Matches("^[0-9a-f]{32}$", lines[1]["trace_id"]);
        Assert.Equal(lines[1]["trace_id"], lines[2]["trace_id"]);
        Assert.Equal(
            ["user_agent", "trace_id", "text", "count", "ratio", "flag", "took", "nothing"],
            lines[2].Keys.Reverse().Take(8).Reverse());
        Assert.Equal(
            ("a \"b\"", "2", "0.5", "true", "1.500", null),
            (lines[2]["text"], lines[2]["count"], lines[2]["ratio"],
                lines[2]["flag"], lines[2]["took"], lines[2]["nothing"]));
    }

    [Theory]
    [InlineData("/waits")]
    [InlineData("/open-waits")]
    public async Task A_request_that_takes_too_long_is_503_and_says_when_to_come_back(string path)
    {
        using var response = await client.GetAsync(new Uri(path, UriKind.Relative));
        var body = await ErrorBody.AssertAsync(response, 503, "Service Unavailable", "GET", path);
        Assert.Equal("The request took too long.", body.GetProperty("detail").GetString());
        Assert.Equal("1", response.Headers.RetryAfter?.ToString());
    }

    [Fact]
    public async Task More_requests_at_once_than_are_allowed_are_503_but_health_is_answered()
    {
        var waiting = Enumerable.Range(0, 2).Select(_ => client.GetAsync(new Uri("/holds", UriKind.Relative))).ToList();
        await Until.TrueAsync(() => Volatile.Read(ref held) == waiting.Count, "both to be processed");
        using var refused = await client.GetAsync(new Uri("/sets", UriKind.Relative));
        var body = await ErrorBody.AssertAsync(refused, 503, "Service Unavailable", "GET", "/sets");
        Assert.Equal("There are too many requests at once.", body.GetProperty("detail").GetString());
        Assert.Equal("1", refused.Headers.RetryAfter?.ToString());
        using var health = await client.GetAsync(new Uri("/open", UriKind.Relative));
        Assert.Equal(204, (int)health.StatusCode);
        release.SetResult();
        await Task.WhenAll(waiting);
        using var afterwards = await client.GetAsync(new Uri("/sets", UriKind.Relative));
        Assert.Equal(204, (int)afterwards.StatusCode);
    }

    [Fact]
    public async Task Requests_that_block_their_threads_hold_up_no_other()
    {
        // More than there are processors, and with them threads that would be there anyway.
        var blocking = Enumerable.Range(0, Environment.ProcessorCount + 2)
            .Select(_ => client.GetAsync(new Uri("/open-blocks", UriKind.Relative))).ToList();
        await Until.TrueAsync(() => Volatile.Read(ref blocked) == blocking.Count, "all of them to block");
        using var other = await client.GetAsync(new Uri("/sets", UriKind.Relative));
        Assert.Equal(204, (int)other.StatusCode);
        unblock.Set();
        foreach (var response in await Task.WhenAll(blocking))
        {
            Assert.Equal(200, (int)response.StatusCode);
            response.Dispose();
        }
    }

    [Fact]
    public async Task A_client_that_goes_away_is_499_and_no_error()
    {
        using (var gone = new System.Net.Sockets.TcpClient())
        {
            await gone.ConnectAsync("127.0.0.1", client.BaseAddress!.Port);
            await gone.GetStream().WriteAsync("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
            await files.LinesAsync("logfmt", 1);
        }
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(("INFO", "499"), (line["level"], line["status"]));
        Assert.DoesNotContain("trace", line.Keys);
    }

    [Fact]
    public async Task Times_that_code_sets_are_told_and_nothing_else_that_it_sets()
    {
        using var response = await client.GetAsync(new Uri("/sets", UriKind.Relative));
        Assert.Matches(
            "^route;desc=\"/sets\";dur=[0-9]+(\\.[0-9]{1,3})?, took;dur=1\\.5$",
            Assert.Single(response.Headers.GetValues("Server-Timing")));
    }

    private ValueTask<ApiResult> SetAsync()
    {
        var operation = Operation.Current!;
        operation.Set("text", "a \"b\"");
        operation.Set("count", 1);
        operation.Set("ratio", 0.5);
        operation.Set("flag", true);
        operation.Set("took", TimeSpan.FromMilliseconds(1.5));
        operation.Set("nothing", (string?)null);
        operation.Set("count", 2);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice.sub");
        logger.LogInformation("{Name} of {Count}", "three", 5);
        return ValueTask.FromResult(ApiResult.NoContent);
    }
}
