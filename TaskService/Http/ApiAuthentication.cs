using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using TaskService.Configuration;

namespace TaskService.Http;

/// <summary>
/// Closes the API to strangers, as <c>http.authentication</c> says. Every endpoint needs an authenticated user then,
/// but for those that have <c>AllowAnonymous()</c> or a policy of their own.
/// </summary>
internal static class ApiAuthentication
{
    private const string KeyScheme = "ApiKeys";

    /// <summary>Adds the scheme, as the default one, and the policy; nothing where the API is open.</summary>
    public static void AddApiAuthentication(this IServiceCollection services, AuthenticationSettings settings)
    {
        switch (settings.Type)
        {
            case AuthenticationType.ApiKeys:
                AddApiKeys(services, settings);
                AddPolicy(services);
                break;
            case AuthenticationType.Jwt:
                AddTokens(services, settings.Jwt);
                AddPolicy(services);
                break;
            default:
                break;
        }
    }

    // Each in a method of its own, since its assembly is loaded when the method is compiled.
    private static void AddPolicy(IServiceCollection services) => services.AddAuthorizationBuilder()
        .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());

    private static void AddApiKeys(IServiceCollection services, AuthenticationSettings settings)
    {
        services.AddSingleton(settings).AddSingleton<ApiKeys>();
        services.AddAuthentication(KeyScheme).AddScheme<AuthenticationSchemeOptions, KeyHandler>(KeyScheme, null);
        // The file is read at the start, which ends where it cannot be.
        services.AddOptions<AuthenticationSchemeOptions>(KeyScheme)
            .Validate<ApiKeys>((_, keys) => keys is not null).ValidateOnStart();
    }

    private static void AddTokens(IServiceCollection services, JwtSettings settings) => services
        .AddAuthentication(JwtBearerDefaults.AuthenticationScheme)
        .AddJwtBearer(options =>
        {
            // The names of claims as they are in the token.
            options.MapInboundClaims = false;
            var parameters = options.TokenValidationParameters;
            if (settings.Authority.Length > 0)
            {
                options.Authority = settings.Authority;
                options.RequireHttpsMetadata = new Uri(settings.Authority).Scheme == Uri.UriSchemeHttps;
            }
            if (settings.Audience.Length > 0)
            {
                parameters.ValidAudiences = [settings.Audience];
            }
            if (settings.Issuer.Length > 0)
            {
                parameters.ValidIssuers = [settings.Issuer];
            }
            if (settings.Key is { } key)
            {
                parameters.IssuerSigningKeys = [new SymmetricSecurityKey(key)];
            }
        });

    /// <summary>Authenticates a client by its key.</summary>
    private sealed class KeyHandler(
        IOptionsMonitor<AuthenticationSchemeOptions> options, UrlEncoder encoder, ApiKeys keys)
        // The canonical line says all of it.
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, NullLoggerFactory.Instance, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Find());

        protected override Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            Response.StatusCode = StatusCodes.Status401Unauthorized;
            // RFC 6750 section 3; there is no registered scheme for X-API-Key.
            Response.Headers.WWWAuthenticate =
                RequestSecret.Of(Request.Headers) is null ? "Bearer" : "Bearer error=\"invalid_token\"";
            return Task.CompletedTask;
        }

        private AuthenticateResult Find()
        {
            if (RequestSecret.Of(Request.Headers) is not { } key)
            {
                return AuthenticateResult.NoResult();
            }
            if (keys.NameOf(key) is not { } name)
            {
                return AuthenticateResult.Fail("nobody has this key");
            }
            var identity = new ClaimsIdentity(
                [new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.NameIdentifier, name)], Scheme.Name);
            return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name));
        }
    }
}
