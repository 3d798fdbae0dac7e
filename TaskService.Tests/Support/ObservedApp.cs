using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Http;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Tests.Support;

/// <summary>
/// Another service of the same making, with its events in a file: <c>/calls</c> reads an address with a client of the
/// factory, <c>/headers</c> shows what it was sent, <c>/logs</c> logs two messages, <c>/throws</c> does.
/// </summary>
internal sealed class ObservedApp : IAsyncDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly LogFiles files = new();
    private readonly LogSystem logs;
    private readonly TelemetrySystem telemetry;
    private readonly WebApplication app;

    private ObservedApp(
        string settingsYaml, string exporters, Action<WebApplication> addRoutes, Action<IServiceCollection> addServices)
    {
        var (settings, _) = Settings.Read(
            "test.yaml",
            $$"""
            service: { address: 127.0.0.1, port: 0 }
            task-db: { memory: }
            telemetry:
              exporters:
                { events: { type: json, path: '{{directory.File("events")}}', batch-delay-max-ms: 1 } {{exporters}} }
              {{settingsYaml}}
            {{files.Yaml}}
            """,
            new Dictionary<string, string>(),
            new CommandLineOptions());
        logs = new LogSystem(settings.Logging);
        telemetry = new TelemetrySystem(
            settings.Telemetry with { Exporters = [.. settings.Telemetry.Exporters, Spans.Settings("spans")] },
            (_, _, _) => { });
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(logs);
        builder.Services.Configure<LoggerFilterOptions>(
            options => LoggingSettings.SetLevels(options, settings.Logging));
        Server.Configure(builder, settings.Service, settings.Http);
        addServices(builder.Services);
        app = builder.Build();
        var log = new RequestLog(
            app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice"), "Test");
        new RequestPipeline(
            log,
            telemetry,
            new RequestIds(""),
            new RequestLimits(requestsMax: 1_000, TimeSpan.FromSeconds(30)),
            new RequestPipeline.Options(Debug: false, ServerTiming: false),
            CancellationToken.None).Use(app, builder.Services);
        app.MapGet("/calls", CallAsync);
        app.MapGet("/calls-and-waits", (HttpContext http, CancellationToken cancel) =>
        {
            using var client = ClientOf(http);
            using var request = new HttpRequestMessage(HttpMethod.Get, http.Request.QueryString.Value![1..]);
            using var answer = client.Send(request, cancel);
            return Task.CompletedTask;
        });
        app.MapGet("/headers", async (HttpContext http, CancellationToken cancel) =>
            await http.Response.WriteAsJsonAsync(
                http.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString()), cancel));
        app.MapGet("/logs", (HttpContext http) =>
        {
            var logger = http.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("Test.Logs");
            logger.LogWarning("{Name} of {Count}", "three", 5);
            logger.LogError(new InvalidDataException("broken"), "bad");
            return Task.CompletedTask;
        });
        app.MapGet("/throws", _ => throw new InvalidDataException("broken"));
        addRoutes(app);
    }

    /// <summary>Makes an activity around each call; null for none.</summary>
    public ActivitySource? Source { get; set; }

    /// <summary>What a collector of traces gets.</summary>
    public ReceivedSpans Spans { get; } = new();

    /// <summary>Its log, in all formats.</summary>
    public LogFiles Logs => files;

    /// <summary>What was counted; null unless the settings say so.</summary>
    public Statistics? Statistics => telemetry.Statistics;

    public Uri Address => new(app.Urls.First());

    /// <summary>A client of the factory, for handlers.</summary>
    public static HttpClient ClientOf(HttpContext http) =>
        http.RequestServices.GetRequiredService<IHttpClientFactory>().CreateClient();

    /// <summary>A logger whose messages go to <see cref="LinesAsync"/>, for handlers.</summary>
    public static ILogger LoggerOf(HttpContext http) =>
        http.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice.test");

    /// <param name="telemetry">Lines of the <c>telemetry</c> section.</param>
    /// <param name="exporters">Further exporters, each after a comma.</param>
    /// <param name="addRoutes">Adds more than the usual routes.</param>
    /// <param name="addServices">Such as those of middleware of the framework.</param>
    public static async Task<ObservedApp> StartAsync(
        string telemetry = "",
        string exporters = "",
        Action<WebApplication>? addRoutes = null,
        Action<IServiceCollection>? addServices = null)
    {
        var app = new ObservedApp(telemetry, exporters, addRoutes ?? (_ => { }), addServices ?? (_ => { }));
        await app.app.StartAsync();
        return app;
    }

    /// <summary>Asks for a path of this service.</summary>
    public async Task<HttpResponseMessage> SendAsync(string path, params (string Name, string Value)[] headers)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Address, path));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await client.SendAsync(request);
    }

    /// <inheritdoc cref="SendAsync"/>
    public async Task<(HttpStatusCode Status, string Body)> GetAsync(
        string path, params (string Name, string Value)[] headers)
    {
        using var answer = await SendAsync(path, headers);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>What the other side is sent when this service calls it while it answers such a request.</summary>
    public async Task<Dictionary<string, string>> HeadersOfCallAsync(params (string Name, string Value)[] headers)
    {
        var (_, body) = await GetAsync($"/calls?{Address}headers", headers);
        return new(JsonSerializer.Deserialize<Dictionary<string, string>>(body)!, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Waits until there are so many events.</summary>
    public async Task<List<JsonElement>> EventsAsync(int count)
    {
        var lines = await Until.ResultAsync(
            () => LogFiles.WholeLines(directory.File("events")) is var found && found.Length >= count ? found : null,
            $"{count} events");
        Assert.Equal(count, lines.Length);
        return [.. lines.Select(line => JsonElement.Parse(line))];
    }

    /// <summary>Waits until there are so many lines of log.</summary>
    public async Task<List<LogfmtLine>> LinesAsync(int count) =>
        [.. (await files.LinesAsync("logfmt", count)).Select(LogfmtLine.Parse)];

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        await telemetry.DisposeAsync();
        logs.Dispose();
        files.Dispose();
        directory.Dispose();
    }

    private async Task CallAsync(HttpContext http, CancellationToken cancel)
    {
        using var activity = Source?.StartActivity("call");
        using var client = ClientOf(http);
        try
        {
            using var answer = await client.GetAsync(new Uri(http.Request.QueryString.Value![1..]), cancel);
            await http.Response.WriteAsync(await answer.Content.ReadAsStringAsync(cancel), cancel);
        }
        catch (HttpRequestException)
        {
            http.Response.StatusCode = StatusCodes.Status502BadGateway;
        }
    }
}
