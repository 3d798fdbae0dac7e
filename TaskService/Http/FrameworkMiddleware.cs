using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace TaskService.Http;

/// <summary>
/// The middleware of the framework that endpoints ask for by their metadata, such as <c>RequireAuthorization</c>, in
/// the order that its documentation gives. Each is used when its services are registered, for which one line such as
/// <c>builder.Services.AddCors(…)</c> is enough, and costs nothing otherwise.
/// </summary>
internal static class FrameworkMiddleware
{
    /// <summary>The switch with which a scheme that is the only one is no default for all endpoints.</summary>
    public const string NoDefaultSchemeSwitch = "Microsoft.AspNetCore.Authentication.SuppressAutoDefaultScheme";

    // As the framework marks that the middleware is there.
    private const string AuthenticationIsUsed = "__AuthenticationMiddlewareSet";
    private const string AuthorizationIsUsed = "__AuthorizationMiddlewareSet";

    /// <param name="app">Has routing already.</param>
    /// <param name="services">Those that were registered.</param>
    /// <param name="limit">
    /// The concurrency limit, whose refusals pages of other origins can read as any response.
    /// </param>
    public static void Use(
        WebApplication app, IServiceCollection services, Func<RequestDelegate, RequestDelegate> limit)
    {
        var namespaces = services.SelectMany(service => service.ServiceType.GenericTypeArguments
            .Append(service.ServiceType).Select(type => type.Namespace)).ToHashSet();
        // Each in a method of its own, since its assembly is loaded when the method is compiled.
        UseIf("Microsoft.AspNetCore.Cors.Infrastructure", () => UseCors(app));
        app.Use(limit);
        UseIf("Microsoft.AspNetCore.Authentication", () => UseAuthentication(app));
        // Before what refuses strangers, so that their requests count as well.
        UseIf("Microsoft.AspNetCore.RateLimiting", () => UseRateLimiter(app));
        UseIf("Microsoft.AspNetCore.Authorization", () => UseAuthorization(app));
        UseIf("Microsoft.AspNetCore.Http.Timeouts", () => app.UseRequestTimeouts());
        UseIf("Microsoft.AspNetCore.OutputCaching", () => UseOutputCache(app));

        void UseIf(string namespaceOfServices, Action use)
        {
            if (namespaces.Contains(namespaceOfServices))
            {
                use();
            }
        }
    }

    private static void UseCors(WebApplication app)
    {
        // The first request is for routing alone, and has no services.
        app.Use(next => http => http.Features.Get<RequestState>() is null ? Task.CompletedTask : next(http));
        app.UseCors();
    }

    // Without a default scheme the middleware finds nobody, but makes services for each request.
    private static void UseAuthentication(WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<AuthenticationOptions>>().Value;
        var isNoDefault = AppContext.TryGetSwitch(NoDefaultSchemeSwitch, out var isOn) && isOn
            && options is { DefaultScheme: null, DefaultAuthenticateScheme: null };
        if (isNoDefault && !options.Schemes.Any(scheme => scheme.HandlerType is { } type
            && type.IsAssignableTo(typeof(IAuthenticationRequestHandler))))
        {
            // Else the host adds it by itself. The authorization authenticates with the schemes of a policy.
            ((IApplicationBuilder)app).Properties[AuthenticationIsUsed] = true;
            return;
        }
        app.UseAuthentication();
    }

    // Without a policy for all, it has nothing to do for most endpoints, but takes time.
    private static void UseAuthorization(WebApplication app)
    {
        var policies = app.Services.GetRequiredService<IAuthorizationPolicyProvider>();
        if (policies.GetType() != typeof(DefaultAuthorizationPolicyProvider)
            || app.Services.GetRequiredService<IOptions<AuthorizationOptions>>().Value.FallbackPolicy is not null)
        {
            app.UseAuthorization();
            return;
        }
        ((IApplicationBuilder)app).Properties[AuthorizationIsUsed] = true;
        app.UseWhen(
            http => http.GetEndpoint()?.Metadata is { } metadata
                && (metadata.GetMetadata<IAuthorizeData>() is not null
                    || metadata.GetMetadata<IAuthorizationRequirementData>() is not null
                    || metadata.GetMetadata<AuthorizationPolicy>() is not null),
            authorized => authorized.UseAuthorization());
    }

    private static void UseRateLimiter(WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<RateLimiterOptions>>().Value;
        if (options.RejectionStatusCode == StatusCodes.Status503ServiceUnavailable)
        {
            // The default, which says that the service is at fault.
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        }
        app.UseRateLimiter();
    }

    private static void UseOutputCache(WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<OutputCacheOptions>>().Value;
        // As routing does; else a response could be that of another resource.
        options.UseCaseSensitivePaths = true;
        options.AddBasePolicy(new CachePolicy());
        app.Use(next => http =>
        {
            RequestState.Of(http).IsFromCache = true;
            // A stored body is sent without the result that knows its length.
            CountedBody.Begin(http);
            return next(http);
        });
        app.UseOutputCache();
        app.Use(next => http =>
        {
            RequestState.Of(http).IsFromCache = false;
            return next(http);
        });
    }

    /// <summary>
    /// A response in a content coding is not for clients that do not accept it, and one with an id of its own only for
    /// the request that it was made for.
    /// </summary>
    private sealed class CachePolicy : IOutputCachePolicy
    {
        public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            context.CacheVaryByRules.HeaderNames = StringValues.Concat(
                context.CacheVaryByRules.HeaderNames, HeaderNames.AcceptEncoding);
            return ValueTask.CompletedTask;
        }

        public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) =>
            ValueTask.CompletedTask;

        public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            var http = context.HttpContext;
            context.AllowCacheStorage &= !http.Response.Headers.TryGetValue(RequestIds.Header, out var id)
                || id == RequestState.Of(http).Operation.Id;
            return ValueTask.CompletedTask;
        }
    }
}
