using System.Net;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>Middleware of the framework runs where it has something to do.</summary>
public sealed class FrameworkMiddlewareTests
{
    private const string Secret = "the-secret-of-everything";

    [Fact]
    public async Task Requests_of_endpoints_that_are_open_are_not_authenticated_for_the_sake_of_operators()
    {
        var seen = new Seen();
        await using var service = await RunningService.StartAsync(
            operations: $"secret: {Secret}",
            setup: builder => builder.Services.AddSingleton<IStartupFilter>(seen));
        using var tasks = await service.SendAsync("GET", "/tasks");
        Assert.Equal((false, false, false), await seen.NextAsync());
        using var client = service.Operator(Secret);
        using var versions = await client.GetAsync(new Uri("/ops/versions.json", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, versions.StatusCode);
        Assert.Equal((false, true, true), await seen.NextAsync());
    }

    [Fact]
    public async Task Where_a_scheme_is_the_default_all_requests_are_authenticated()
    {
        var seen = new Seen();
        await using var service = await RunningService.StartAsync(
            operations: $"secret: {Secret}",
            setup: builder =>
            {
                builder.Services.AddSingleton<IStartupFilter>(seen);
                builder.Services.AddAuthentication().AddCookie();
            });
        using var tasks = await service.SendAsync("GET", "/tasks");
        var (isAuthenticated, _, _) = await seen.NextAsync();
        Assert.True(isAuthenticated);
    }

    [Fact]
    public async Task A_requirement_of_any_form_is_enforced()
    {
        await using var app = await ObservedApp.StartAsync(
            addServices: services =>
            {
                services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie();
                services.AddAuthorization();
            },
            addRoutes: routes =>
            {
                routes.MapGet("/open", () => "open");
                routes.MapGet("/data", () => "data").RequireAuthorization();
                routes.MapGet("/policy", () => "policy")
                    .WithMetadata(new AuthorizationPolicyBuilder().RequireClaim("x").Build());
                routes.MapGet("/requirement", () => "requirement").WithMetadata(new Denied());
            });
        Assert.Equal((HttpStatusCode.OK, "open"), await app.GetAsync("/open"));
        foreach (var path in (string[])["/data", "/policy", "/requirement"])
        {
            // The scheme sends the client to a page where it would log in, which is not there.
            Assert.Equal(HttpStatusCode.NotFound, (await app.GetAsync(path)).Status);
        }
    }

    [Fact]
    public async Task A_policy_for_all_endpoints_is_enforced()
    {
        await using var app = await ObservedApp.StartAsync(
            addServices: services =>
            {
                services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie();
                services.AddAuthorizationBuilder()
                    .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
            },
            addRoutes: routes => routes.MapGet("/open", () => "open"));
        Assert.NotEqual(HttpStatusCode.OK, (await app.GetAsync("/open")).Status);
    }

    private sealed class Denied : IAuthorizationRequirementData, IAuthorizationRequirement
    {
        public IEnumerable<IAuthorizationRequirement> GetRequirements() => [this];
    }

    /// <summary>Sees which middleware each request went through.</summary>
    private sealed class Seen : IStartupFilter
    {
        private readonly System.Threading.Channels.Channel<(bool, bool, bool)> all =
            System.Threading.Channels.Channel.CreateUnbounded<(bool, bool, bool)>();

        public ValueTask<(bool IsMiddlewareUsed, bool IsAuthenticated, bool IsAuthorized)> NextAsync() =>
            all.Reader.ReadAsync();

        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (HttpContext http, RequestDelegate rest) =>
            {
                await rest(http);
                await all.Writer.WriteAsync((
                    http.Features.Get<IAuthenticationFeature>() is not null,
                    http.Features.Get<IAuthenticateResultFeature>() is not null,
                    http.Items.ContainsKey("__AuthorizationMiddlewareWithEndpointInvoked")));
            });
            next(app);
        };
    }
}
