using Microsoft.AspNetCore.Authentication;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Hosting;
using TaskService.Http;
using TaskService.Http.OpenApi;
using TaskService.Operations;
using TaskService.Storage;
using TaskService.Tasks;

namespace TaskService;

/// <summary>The contents page: settings, telemetry, store, pipeline, endpoints, run.</summary>
public sealed class Program
{
    public static Task<int> Main(string[] args) => RunAsync(args, Application());

    internal static Task<int> RunAsync(string[] args, BuildApplication build) => CommandLine.RunAsync(
        args,
        options => TodoListHost.RunAsync(options, AddSections, build),
        StoreCopy.RunAsync,
        options => StatsDb.RunAsync(options, AddSections, Console.Out));

    /// <summary>Sections of the configuration that are no settings of the service: docs/configuration.md.</summary>
    internal static OtherSections AddSections(OtherSections settings) => settings
        .Allow("Authentication", typeof(IAuthenticationSchemeProvider));

    /// <param name="setup">Adds or replaces services; null for none.</param>
    internal static BuildApplication Application(Action<WebApplicationBuilder>? setup = null) =>
        (settings, logs, telemetry, stopping) =>
        {
            // Empty, so that nothing but the YAML file, the environment and the command line is read.
            var builder = WebApplication.CreateEmptyBuilder(
                new WebApplicationOptions { EnvironmentName = settings.Environment });
            builder.Configuration.Sources.Add(settings.Source);
            settings.Others.AddTo(builder.Services);
            logs.AddTo(builder.Logging.ClearProviders());
            LogLevels.AddTo(builder.Services);
            builder.Services.AddSingleton(TimeProvider.System);
            builder.Services.AddStorage(Entities.All, settings.CreateEngine, telemetry);
            builder.Services.AddSingleton<IdGenerator>().AddSingleton(settings.Http);
            builder.Services.AddSingleton<TodoListService>();
            builder.Services.AddCorsPolicy(settings.Http.Cors);
            builder.Services.AddApiAuthentication(settings.Http.Authentication);
            builder.Services.AddRateLimit(settings.Http.RateLimit);
            builder.Services.AddHealthChecks().AddCheck<StorageHealthCheck>("storage");
            builder.Services.AddSingleton(telemetry).AddSingleton(settings.Service).AddOperations(settings.Operations);

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
                new RequestPipeline.Options(settings.Debug, settings.Http.ServerTiming, settings.Operations.Port),
                stopping).Use(app, builder.Services);

            app.MapTasks();
            app.MapHealth(stopping);
            app.MapOperations(settings.Operations);
            app.MapIndex(settings.Service.Name);
            app.MapOpenApi(settings.Service.Name);
            app.MapDocs(settings.Http.Docs);
            return app;
        };
}
