namespace TaskService.Configuration;

/// <summary>
/// Pages of which other origins may use the API from a browser: CORS, which is part of the Fetch standard
/// (https://fetch.spec.whatwg.org/#http-cors-protocol).
/// </summary>
/// <param name="Origins">As browsers send them, or <see cref="AnyOrigin"/> alone; empty for none.</param>
/// <param name="Credentials">Whether requests may have cookies and other credentials of the browser.</param>
/// <param name="MaxAge">How long a browser may keep the answer to a preflight.</param>
internal sealed record CorsSettings(IReadOnlyList<string> Origins, bool Credentials, TimeSpan MaxAge)
{
    public const string AnyOrigin = "*";

    private const string OriginsKey = "origins";
    private const string CredentialsKey = "credentials";
    private const int DaySeconds = 86_400;

    public static CorsSettings Read(ConfigSection section)
    {
        var settings = new CorsSettings(
            [.. section.Texts(OriginsKey).Select(text => ReadOrigin(section, text)).Distinct()],
            section.Flag(CredentialsKey, false),
            TimeSpan.FromSeconds(section.Integer("max-age-seconds", DaySeconds, 0, 365 * DaySeconds)));
        if (settings.Origins.Contains(AnyOrigin))
        {
            if (settings.Origins.Count > 1)
            {
                section.Problem(OriginsKey, "\"*\" is every origin; it stands alone");
            }
            if (settings.Credentials)
            {
                section.Problem(
                    CredentialsKey,
                    "must be false where origins is \"*\", or any page could act for whoever is logged in; "
                    + "list the origins");
            }
        }
        return settings;
    }

    /// <summary>The origin as browsers send it: in lower case, in ASCII, without the usual port.</summary>
    private static string ReadOrigin(ConfigSection section, string text)
    {
        if (text == AnyOrigin)
        {
            return text;
        }
        if (text.Contains('*', StringComparison.Ordinal))
        {
            section.Problem(
                OriginsKey, $"\"{text}\": there are no wildcards; list each origin, or \"*\" alone for every one");
            return text;
        }
        var origin = Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Host.Length > 0
            ? uri.GetComponents(
                UriComponents.Scheme | UriComponents.NormalizedHost | UriComponents.Port, UriFormat.UriEscaped)
            : null;
        var authority = text.IndexOf("//", StringComparison.Ordinal) + 2;
        if (origin is null || text.IndexOfAny(['/', '?', '#', '@', '\\'], authority) >= 0)
        {
            section.Problem(
                OriginsKey,
                "must hold origins such as https://shop.example or http://localhost:3000, without anything behind, "
                + $"not \"{text}\"{(origin is null ? "" : $" (did you mean \"{origin}\"?)")}");
        }
        return origin ?? text;
    }
}
