using TaskService.Configuration;
using TaskService.Http;
using TaskService.Telemetry.Exporters.Prometheus;

namespace TaskService.Operations;

/// <summary>
/// The endpoints for operators, below <c>operations.base-path</c>. Each is a file of this folder and a line here; those
/// that no secret opens are not there.
/// </summary>
internal static class OperationsEndpoints
{
    /// <summary>Adds what the endpoints need; nothing without a secret.</summary>
    public static void AddOperations(this IServiceCollection services, OperationsSettings settings)
    {
        if (settings.Enabled != OperationsFeatures.None)
        {
            services.AddSingleton(settings);
            OperationsAccess.AddTo(services, settings);
            ConfiguredChecks.AddTo(services, settings);
            services.AddSingleton<LogLevelOverrides>();
            services.AddSingleton(provider => new PrometheusMeters(
                settings.Meters, provider.GetRequiredService<ServiceSettings>().Name));
        }
    }

    /// <summary>Maps those that a secret opens.</summary>
    public static void MapOperations(this IEndpointRouteBuilder app, OperationsSettings settings)
    {
        // Like those of health they work when there are too many requests.
        var all = app.MapGroup(settings.BasePath)
            .WithTags("operations").ExcludeFromDescription().WithMetadata(Unlimited.Metadata);
        if (settings.Port is not null)
        {
            all.WithMetadata(OnPort.Own);
        }
        if (settings.Enabled != OperationsFeatures.None)
        {
            all.MapPage(settings);
        }
        Map(OperationsFeatures.Statistics, HealthCheckEndpoint.MapHealthCheck);
        Map(OperationsFeatures.Statistics, VersionsEndpoint.MapVersions);
        Map(OperationsFeatures.LogLevels, LogLevelEndpoint.MapLogLevels);
        Map(OperationsFeatures.Statistics, StatisticsEndpoint.MapStatistics);
        Map(OperationsFeatures.Debug, DebugEndpoints.MapDebug);
        Map(OperationsFeatures.Statistics, MetricsEndpoint.MapMetrics);
        Map(OperationsFeatures.Statistics, RequestsEndpoint.MapRequests);
        Map(OperationsFeatures.SqlProfiler, SqlProfilerEndpoint.MapSqlProfiler);

        void Map(OperationsFeatures feature, Action<IEndpointRouteBuilder> map)
        {
            if (settings.Enabled.HasFlag(feature))
            {
                map(all.MapGroup("").RequireAuthorization(OperationsAccess.PolicyOf(feature)));
            }
        }
    }
}
