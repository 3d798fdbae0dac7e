using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;
using TaskService.Domain;

namespace TaskService.Projects;

/// <summary>The services of projects and milestones, and who may use them.</summary>
internal static class ProjectAccess
{
    public const string Policy = "projects";

    /// <summary>The key of the token in the configuration; without one, nobody gets in.</summary>
    public const string TokenKey = "Authentication:Schemes:Bearer:Token";

    private const string Bearer = "Bearer";

    public static IServiceCollection AddProjects(this IServiceCollection services)
    {
        services.AddAuthentication(Bearer).AddScheme<AuthenticationSchemeOptions, TokenHandler>(Bearer, null);
        services.AddAuthorizationBuilder().AddPolicy(Policy, policy => policy.RequireAuthenticatedUser());
        return services.AddSingleton<ProjectService>().AddSingleton<MilestoneService>();
    }

    /// <summary>One token for all clients (RFC 6750), in the place of <c>AddJwtBearer</c>.</summary>
    private sealed class TokenHandler(
        IOptionsMonitor<AuthenticationSchemeOptions> options,
        ILoggerFactory loggers,
        UrlEncoder encoder,
        IConfiguration configuration)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            var token = configuration[TokenKey];
            var isRight = !string.IsNullOrEmpty(token) && CryptographicOperations.FixedTimeEquals(
                Encoding.UTF8.GetBytes($"{Bearer} {token}"),
                Encoding.UTF8.GetBytes(Request.Headers.Authorization.ToString()));
            return Task.FromResult(isRight
                ? AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity(Bearer)), Bearer))
                : AuthenticateResult.NoResult());
        }

        protected override Task HandleChallengeAsync(AuthenticationProperties properties)
        {
            Response.Headers.WWWAuthenticate = Bearer;
            return base.HandleChallengeAsync(properties);
        }
    }
}
