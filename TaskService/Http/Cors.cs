using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using TaskService.Configuration;

namespace TaskService.Http;

/// <summary>
/// Lets pages of other origins use the API, as <c>http.cors</c> says: the default policy of the framework's own CORS,
/// for every path and every response. Endpoints that are not in the OpenAPI document, such as those for operators, are
/// left out, unless they ask for it by <c>RequireCors()</c>.
/// </summary>
internal static class Cors
{
    private static readonly string[] ExposedHeaders =
    [
        HeaderNames.Location, HeaderNames.ETag, HeaderNames.Link, HeaderNames.Allow, "Accept-Patch",
        HeaderNames.RetryAfter, HeaderNames.WWWAuthenticate, RequestIds.Header, ReadAfter.Header,
    ];

    /// <summary>Adds the policy; nothing without an origin.</summary>
    public static void AddCorsPolicy(this IServiceCollection services, CorsSettings settings)
    {
        if (settings.Origins.Count > 0)
        {
            Add(services, settings);
        }
    }

    // A method of its own, since its assembly is loaded when it is compiled.
    private static void Add(IServiceCollection services, CorsSettings settings)
    {
        services.AddCors().AddOptions<CorsOptions>().Configure<EndpointDataSource>((cors, endpoints) =>
            cors.AddDefaultPolicy(policy => SetPolicy(policy, settings, endpoints)));
        services.AddSingleton<ICorsPolicyProvider, PolicyProvider>();
        if (!settings.Origins.Contains(CorsSettings.AnyOrigin))
        {
            services.AddSingleton<IStartupFilter, VaryByOrigin>();
        }
    }

    private static void SetPolicy(CorsPolicyBuilder policy, CorsSettings settings, EndpointDataSource endpoints)
    {
        policy.WithOrigins([.. settings.Origins]).AllowAnyHeader()
            // All of them, so that one preflight is enough for a path.
            .WithMethods([.. EndpointMethods.Of(endpoints.Endpoints)])
            .WithExposedHeaders(ExposedHeaders).SetPreflightMaxAge(settings.MaxAge);
        if (settings.Credentials)
        {
            policy.AllowCredentials();
        }
    }

    private static bool IsShared(HttpContext http) => http.GetEndpoint()?.Metadata is not { } metadata
        || metadata.GetMetadata<IExcludeFromDescriptionMetadata>() is not { ExcludeFromDescription: true }
        || metadata.GetMetadata<ICorsMetadata>() is not null;

    /// <summary>
    /// No policy where there is nothing to share or the origin is a stranger, so that the response is the usual one.
    /// </summary>
    private sealed class PolicyProvider(IOptions<CorsOptions> options) : ICorsPolicyProvider
    {
        private readonly DefaultCorsPolicyProvider policies = new(options);

        public async Task<CorsPolicy?> GetPolicyAsync(HttpContext context, string? policyName)
        {
            var policy = await policies.GetPolicyAsync(context, policyName);
            return policyName is not null || policy is null
                || (IsShared(context)
                    && (policy.AllowAnyOrigin || policy.IsOriginAllowed(context.Request.Headers.Origin.ToString())))
                ? policy
                : null;
        }
    }

    /// <summary>
    /// Where some origins get a header and others do not, caches have to know, whoever has asked first (Fetch standard,
    /// "CORS protocol and HTTP caches"). The framework says so only to origins that it knows, if there are several.
    /// </summary>
    private sealed class VaryByOrigin : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(request => http =>
            {
                // The first one that is registered is the last one that is called.
                http.Response.OnStarting(static http => SetHeaderAsync((HttpContext)http), http);
                return request(http);
            });
            next(app);
        };

        private static Task SetHeaderAsync(HttpContext http)
        {
            if (IsShared(http))
            {
                var headers = http.Response.Headers;
                var others = headers.Vary.Where(name => name != HeaderNames.Origin);
                headers.Vary = string.Join(", ", others.Append(HeaderNames.Origin));
            }
            return Task.CompletedTask;
        }
    }
}
