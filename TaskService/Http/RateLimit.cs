using System.Net;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;
using TaskService.Configuration;

namespace TaskService.Http;

/// <summary>
/// Refuses requests of a client that sends too many, as <c>http.rate-limit</c> says: a token bucket for each address
/// or identity, in the rate limiter of the framework. Endpoints that are <see cref="Unlimited"/> are not counted.
/// </summary>
internal static class RateLimit
{
    /// <summary>Adds the limiter; nothing without a rate.</summary>
    public static void AddRateLimit(this IServiceCollection services, RateLimitSettings settings)
    {
        if (settings.RequestsPerSecond > 0)
        {
            Add(services, settings);
        }
    }

    // A method of its own, since its assembly is loaded when it is compiled.
    private static void Add(IServiceCollection services, RateLimitSettings settings)
    {
        // A service, so that it is disposed of with the others.
        services.AddSingleton(_ => Limiter(settings));
        services.AddRateLimiter(limiter => limiter.OnRejected = (rejected, _) =>
        {
            RequestLimits.CountHit("rate-limit");
            var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var time) ? time : TimeSpan.Zero;
            rejected.HttpContext.Response.Headers.RetryAfter = $"{Math.Max(1, Math.Ceiling(wait.TotalSeconds))}";
            return ValueTask.CompletedTask;
        });
        services.AddOptions<RateLimiterOptions>().Configure<PartitionedRateLimiter<HttpContext>>(
            (options, limiter) => options.GlobalLimiter = limiter);
    }

    private static PartitionedRateLimiter<HttpContext> Limiter(RateLimitSettings settings)
    {
        var bucket = new TokenBucketRateLimiterOptions
        {
            TokenLimit = settings.Burst,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1 / settings.RequestsPerSecond),
        };
        return PartitionedRateLimiter.Create<HttpContext, Client>(http =>
            http.GetEndpoint()?.Metadata.GetMetadata<Unlimited>() is not null
                ? RateLimitPartition.GetNoLimiter(default(Client))
                : RateLimitPartition.GetTokenBucketLimiter(Client.Of(http, settings.ByIdentity), _ => bucket));
    }

    private readonly record struct Client(string? User, IPAddress? Address)
    {
        public static Client Of(HttpContext http, bool byIdentity) =>
            byIdentity && RequestUser.Of(http) is { } user
                ? new Client(user, null)
                : new Client(null, ClientAddress.Of(http.Connection.RemoteIpAddress));
    }
}
