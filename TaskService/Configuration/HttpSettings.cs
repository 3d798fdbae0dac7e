
namespace TaskService.Configuration;

/// <summary>
/// What the service bears before it refuses: a limit on everything that a client can make large, many or slow.
/// </summary>
/// <param name="Docs">Whether there is a page to try the API.</param>
/// <param name="ServerTiming">Whether answers say how long they took.</param>
/// <param name="BodyBytesMax">Of a request, as sent and after decoding; beyond, 413.</param>
/// <param name="RequestLineBytesMax">Method, target and version; beyond, 414.</param>
/// <param name="HeaderBytesMax">All header lines of a request; beyond, 431.</param>
/// <param name="HeadersMax">Header lines of a request; beyond, 431.</param>
/// <param name="ConnectionsMax">Beyond, new ones are closed.</param>
/// <param name="RequestsMax">At once, health apart; beyond, 503 with Retry-After.</param>
/// <param name="RequestTimeMax">For a body to arrive, else 408, and for the work, else 503.</param>
/// <param name="HeaderTimeMax">For a head to arrive, beyond, 408; and for a TLS handshake.</param>
/// <param name="IdleTimeMax">Between two requests of a connection; beyond, it is closed.</param>
/// <param name="BytesPerSecondMin">Of a body on its way, in both directions, after five seconds.</param>
/// <param name="Cors">Pages of which other origins may use the API.</param>
/// <param name="Authentication">Who may use the API.</param>
/// <param name="RateLimit">How often each client may.</param>
internal sealed record HttpSettings(
    bool Docs,
    bool ServerTiming,
    int BodyBytesMax,
    int RequestLineBytesMax,
    int HeaderBytesMax,
    int HeadersMax,
    int ConnectionsMax,
    int RequestsMax,
    TimeSpan RequestTimeMax,
    TimeSpan HeaderTimeMax,
    TimeSpan IdleTimeMax,
    int BytesPerSecondMin,
    CorsSettings Cors,
    AuthenticationSettings Authentication,
    RateLimitSettings RateLimit)
{
    private const int MebiByte = 1024 * 1024;

    /// <param name="section">Of the configuration.</param>
    /// <param name="hasSchemes">Whether there is a section Authentication beside it.</param>
    public static HttpSettings Read(ConfigSection section, bool hasSchemes) => new(
        section.Flag("docs", true),
        section.Flag("server-timing", false),
        (int)section.Integer("body-bytes-max", MebiByte, 1, 1024 * MebiByte),
        (int)section.Integer("request-line-bytes-max", 8_192, 64, MebiByte),
        (int)section.Integer("header-bytes-max", 32_768, 64, MebiByte),
        (int)section.Integer("headers-max", 100, 1, 10_000),
        (int)section.Integer("connections-max", 10_000, 1, 1_000_000),
        (int)section.Integer("requests-max", 1_000, 1, 1_000_000),
        TimeSpan.FromMilliseconds(section.Integer("request-time-max-ms", 30_000, 1, 3_600_000)),
        TimeSpan.FromMilliseconds(section.Integer("header-time-max-ms", 15_000, 1, 3_600_000)),
        TimeSpan.FromMilliseconds(section.Integer("idle-time-max-ms", 120_000, 1, 3_600_000)),
        (int)section.Integer("bytes-per-second-min", 240, 1, MebiByte),
        CorsSettings.Read(section.Section("cors")),
        AuthenticationSettings.Read(section, hasSchemes),
        RateLimitSettings.Read(section.Section("rate-limit")));
}
