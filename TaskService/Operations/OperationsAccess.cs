using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Http;

namespace TaskService.Operations;

/// <summary>
/// Authenticates operators by a secret, <c>X-API-Key: SECRET</c> or <c>Authorization: Bearer SECRET</c>. What the
/// secret opens are the roles of the identity, which the policies ask for. A wrong secret is an identity without roles
/// and so 403, where none at all is 401.
/// </summary>
internal sealed class OperationsAccess(
    IOptionsMonitor<OperationsAccess.Settings> options, UrlEncoder encoder)
    // The canonical line says all that it would log.
    : AuthenticationHandler<OperationsAccess.Settings>(options, NullLoggerFactory.Instance, encoder)
{
    /// <summary>The scheme.</summary>
    public const string SchemeName = "Operations";

    private static readonly OperationsFeatures[] Features =
    [
        OperationsFeatures.LogLevels, OperationsFeatures.SqlProfiler, OperationsFeatures.Debug,
        OperationsFeatures.Statistics,
    ];

    private const string QueryParameter = "secret";

    // After too many failures; null otherwise.
    private TimeSpan? refusedFor;

    /// <summary>The policy of a feature.</summary>
    public static string PolicyOf(OperationsFeatures feature) => $"{SchemeName}:{feature}";

    /// <summary>Adds the scheme, and a policy for each feature.</summary>
    public static void AddTo(IServiceCollection services, OperationsSettings settings)
    {
        // Else a scheme that is the only one authenticates every request of the service, those of others included.
        AppContext.SetSwitch(FrameworkMiddleware.NoDefaultSchemeSwitch, true);
        services.AddAuthentication()
            .AddScheme<Settings, OperationsAccess>(SchemeName, access => access.Operations = settings);
        services.PostConfigure<AuthenticationOptions>(authentication =>
            authentication.DefaultScheme ??= OnlyOther(authentication));
        if (settings.IsSecretInQuery)
        {
            // The server's own lines at info have the query as it was sent.
            services.Configure<LoggerFilterOptions>(levels => levels.AddFilter(
                "Microsoft.AspNetCore.Hosting.Diagnostics", level => level >= LogLevel.Warning));
        }
        var policies = services.AddAuthorizationBuilder();
        foreach (var feature in Features)
        {
            policies.AddPolicy(PolicyOf(feature), policy => policy
                .AddAuthenticationSchemes(SchemeName).RequireRole(feature.ToString()));
        }
    }

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        Response.Headers.CacheControl = "no-store";
        if (Secret() is not { } secret)
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }
        var client = ClientAddress.Of(Context.Connection.RemoteIpAddress);
        var opens = OperationsFeatures.None;
        using (var lease = Options.Failures.AttemptAcquire(client, permitCount: 0))
        {
            refusedFor = lease.IsAcquired ? null
                : lease.TryGetMetadata(MetadataName.RetryAfter, out var time) ? time : Settings.Window;
        }
        if (refusedFor is null)
        {
            var hash = RequestSecret.HashOf(secret);
            foreach (var known in Options.Operations.Secrets)
            {
                opens |= CryptographicOperations.FixedTimeEquals(hash, known.Hash) ? known.Opens : 0;
            }
            if (opens == OperationsFeatures.None)
            {
                Options.Failures.AttemptAcquire(client).Dispose();
            }
        }
        var roles = Features.Where(feature => opens.HasFlag(feature))
            .Select(feature => new Claim(ClaimTypes.Role, feature.ToString()));
        var user = new ClaimsPrincipal(new ClaimsIdentity(roles, SchemeName));
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(user, SchemeName)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        Response.Headers.WWWAuthenticate = $"Bearer realm=\"{SchemeName.ToLowerInvariant()}\"";
        return Task.CompletedTask;
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status403Forbidden;
        if (refusedFor is { } time)
        {
            RequestLimits.CountHit("operations-failures-a-minute-max");
            Response.StatusCode = StatusCodes.Status429TooManyRequests;
            Response.Headers.RetryAfter = $"{Math.Ceiling(time.TotalSeconds)}";
        }
        return Task.CompletedTask;
    }

    /// <summary>The secret as it was sent; null when there is none.</summary>
    private string? Secret()
    {
        if (RequestSecret.Of(Request.Headers) is { } secret)
        {
            return secret;
        }
        return Options.Operations.IsSecretInQuery && Request.Query[QueryParameter] is [{ Length: > 0 } inQuery, ..]
            ? Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(inQuery))
            : null;
    }

    private static string? OnlyOther(AuthenticationOptions authentication)
    {
        var others = authentication.Schemes.Where(scheme => scheme.Name != SchemeName).ToList();
        return others.Count == 1 ? others[0].Name : null;
    }

    /// <summary>Of the scheme.</summary>
    internal sealed class Settings : AuthenticationSchemeOptions
    {
        public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

        private const int FailuresMax = 5;

        public OperationsSettings Operations { get; set; } = null!;

        /// <summary>How often each client may be wrong.</summary>
        public PartitionedRateLimiter<IPAddress> Failures { get; } =
            PartitionedRateLimiter.Create<IPAddress, IPAddress>(client => RateLimitPartition.GetFixedWindowLimiter(
                client, _ => new FixedWindowRateLimiterOptions { PermitLimit = FailuresMax, Window = Window }));
    }
}
