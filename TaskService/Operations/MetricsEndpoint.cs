using Microsoft.Net.Http.Headers;
using TaskService.Telemetry.Exporters.Prometheus;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary><c>metrics</c>: all meters of the configuration, for Prometheus to scrape.</summary>
internal static class MetricsEndpoint
{
    private const string OpenMetrics = "application/openmetrics-text";
    private const string OpenMetricsVersion = "1.0.0";
    private const string OpenMetricsType = $"{OpenMetrics}; version={OpenMetricsVersion}; charset=utf-8";
    private const string TextVersion = "0.0.4";
    private const string TextType = $"text/plain; version={TextVersion}; charset=utf-8";

    public static void MapMetrics(this IEndpointRouteBuilder operations)
    {
        var meters = operations.ServiceProvider.GetRequiredService<PrometheusMeters>();
        operations.MapGet("/metrics", (HttpContext http) =>
        {
            Operation.Current!.Level = LogLevel.Debug;
            http.Response.Headers.Vary = HeaderNames.Accept;
            var isOpenMetrics = PrefersOpenMetrics(http.Request.GetTypedHeaders().Accept);
            return TypedResults.Bytes(meters.Scrape(isOpenMetrics), isOpenMetrics ? OpenMetricsType : TextType);
        });
    }

    // Everybody else gets text, a browser as well.
    private static bool PrefersOpenMetrics(IList<MediaTypeHeaderValue> accept)
    {
        var openMetrics = QualityOf(OpenMetrics, OpenMetricsVersion);
        return openMetrics > 0 && openMetrics >= QualityOf("text/plain", TextVersion);

        double QualityOf(string type, string version) => accept
            .Where(range => range.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase)
                && range.Parameters.All(parameter =>
                    !parameter.Name.Equals("version", StringComparison.OrdinalIgnoreCase)
                    || HeaderUtilities.RemoveQuotes(parameter.Value) == version))
            .Select(range => range.Quality ?? 1).DefaultIfEmpty(0).Max();
    }
}
