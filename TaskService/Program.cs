using TaskService.Admin;
using TaskService.Api;
using TaskService.Api.OpenApi;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;

namespace TaskService;

/// <summary>The contents page: settings, telemetry, store, routes, run.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) =>
        CommandLine.RunAsync(args, options => RunAsync(options), StoreCopy.RunAsync);

    internal static WebApplication Build(
        Settings settings, LogSystem logs, TelemetrySystem telemetry, Action<WebApplicationBuilder>? setup,
        CancellationToken stopping)
    {
        // Empty, so that nothing but the YAML file, the environment and the command line is read, as it was already.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        logs.AddTo(builder.Logging.ClearProviders());
        builder.Services.Configure<LoggerFilterOptions>(levels => LoggingSettings.SetLevels(levels, settings.Logging));
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services => ObservedTaskStore.Around(
            settings.CreateStore(services.GetRequiredService<ILoggerFactory>()), telemetry));
        builder.Services.AddSingleton<TodoListService>().AddSingleton(settings.Http);
        builder.Services.AddHealthChecks().AddCheck<StorageHealthCheck>("storage");

        Server.Configure(builder, settings.Service, settings.Http);
        setup?.Invoke(builder);
        var app = builder.Build();

        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(LoggingSettings.LoggerName);
        var log = new RequestLog(logger, settings.Service.Name);
        new RefusedRequests(log).Watch(app.Services);
        ForwardedHeader.Use(app, settings.Service.Proxies);
        new RequestPipeline(
            log,
            telemetry,
            new RequestIds(settings.Service.RequestIdHeader),
            new RequestLimits(settings.Http.RequestsMax, settings.Http.RequestTimeMax),
            new RequestPipeline.Options(settings.Debug, settings.Http.ServerTiming),
            stopping).Use(app, builder.Services);

        app.MapTasks();
        app.MapHealth(stopping).WithMetadata(Unlimited.Metadata);
        app.MapOpenApi(settings.Service.Name);
        app.MapDocs(settings.Http.Docs);
        return app;
    }

    internal static async Task<int> RunAsync(CommandLineOptions options, Action<WebApplicationBuilder>? setup = null)
    {
        using var signals = new StopSignals(TimeProvider.System);
        var (settings, source) = Settings.Load(options);
        if (options.PrintConfig || options.CheckConfig)
        {
            return CommandLine.Show(source, settings.Warnings, options.PrintConfig);
        }
        try
        {
            return options.MigrateOnly
                ? await TodoListHost.MigrateAsync(settings, Console.Out, signals.First)
                : await TodoListHost.RunAsync(settings, signals, setup);
        }
        catch (OperationCanceledException) when (signals.First.IsCancellationRequested)
        {
            // It was still starting: there is nothing to finish.
            return ExitCodes.Fine;
        }
    }
}
