using System.Text.Json.Nodes;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskService.Domain;
using TaskService.Http;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// Liveness and readiness for orchestrators and load balancers. They need no authentication, and have no details for
/// that reason.
/// </summary>
internal static class Health
{
    private static readonly byte[] Healthy = """{"status":"healthy"}"""u8.ToArray();
    private static readonly byte[] Unhealthy = """{"status":"unhealthy"}"""u8.ToArray();

    /// <summary>Maps <c>/health/live</c> and <c>/health/ready</c>.</summary>
    /// <param name="app">Has the checks that readiness depends on.</param>
    /// <param name="stopping">Cancelled when the service is about to stop.</param>
    public static RouteGroupBuilder MapHealth(this IEndpointRouteBuilder app, CancellationToken stopping)
    {
        var checks = app.ServiceProvider.GetRequiredService<HealthCheckService>();
        var health = app.MapGroup("/health").WithTags("health").DescribeComponents(Components)
            .WithMetadata(Unlimited.Metadata, OnPort.All).AllowAnonymous();
        health.MapGet("/live", (HttpContext http, CancellationToken cancel) =>
            AnswerAsync(http, isHealthy: true, cancel))
            .WithName("live").WithSummary("Does the process live?")
            .WithDescription("Answers as long as the process can; one that does not is to be restarted.")
            .Describe(() => new() { Responses = [new(200, "It does", ["Cache-Control"], "Health")] });
        health.MapGet("/ready", async (HttpContext http, CancellationToken cancel) => await AnswerAsync(
            http,
            !stopping.IsCancellationRequested
                && (await checks.CheckHealthAsync(HealthChecks.IsOfReadiness, cancel)).Status != HealthStatus.Unhealthy,
            cancel))
            .WithName("ready").WithSummary("Is it ready for requests?")
            .WithDescription("Whether the service is to get traffic.")
            .Describe(() => new()
            {
                Responses =
                [
                    new(200, "It is", ["Cache-Control"], "Health"),
                    new(503, "It stops, or its storage takes no changes", ["Cache-Control"], "Health"),
                ],
            });
        return health;
    }

    private static DescribedComponents Components() => new()
    {
        Schemas = new JsonObject
        {
            ["Health"] = JsonNode.Parse("""
                {
                  "type": "object",
                  "properties": { "status": { "type": "string", "enum": ["healthy", "unhealthy"] } },
                  "required": ["status"],
                  "additionalProperties": false
                }
                """),
        },
        Examples = new Dictionary<string, string> { ["Health"] = """{"status":"healthy"}""" },
        Tags = new Dictionary<string, string> { ["health"] = "For those who restart the service and send it traffic" },
    };

    private static async Task AnswerAsync(HttpContext http, bool isHealthy, CancellationToken cancel)
    {
        // Probes come every few seconds: their lines are at debug.
        Operation.Current!.Level = LogLevel.Debug;
        var body = isHealthy ? Healthy : Unhealthy;
        http.Response.StatusCode = isHealthy ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        http.Response.ContentType = "application/json; charset=utf-8";
        // A cached response would keep traffic on a service that is gone.
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await http.Response.BodyWriter.WriteAsync(body, cancel);
        }
    }
}

/// <summary>Ready when the storage can take changes.</summary>
internal sealed class StorageHealthCheck(IStorage storage) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await storage.PingAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (StorageException error)
        {
            return HealthCheckResult.Unhealthy(error.Message, error);
        }
    }
}
