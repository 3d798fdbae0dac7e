using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.Features;

namespace TaskService.Http;

/// <summary>
/// The target of a request, as it was sent: nothing is decoded, and no dots are folded (RFC 9112 section 3.2).
/// </summary>
/// <param name="Path">Without the query; of an absolute form, without scheme and authority.</param>
/// <param name="Query">With its question mark; empty when there is none.</param>
internal readonly partial record struct RequestTarget(string Path, string Query)
{
    /// <summary>The path of OPTIONS for the server as a whole (RFC 9110 section 9.3.7).</summary>
    public const string Server = "*";

    public static RequestTarget Of(HttpContext http)
    {
        var raw = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        // A server for tests has none.
        return Parse(raw.Length > 0 ? raw : http.Request.PathBase + http.Request.Path + http.Request.QueryString);
    }

    public static RequestTarget Parse(string raw)
    {
        if (raw.Length > 0 && raw[0] != '/' && raw.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme)
        {
            var path = raw.IndexOfAny(['/', '?'], scheme + 3);
            raw = path < 0 ? "/" : raw[path] == '?' ? "/" + raw[path..] : raw[path..];
        }
        var query = raw.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? new RequestTarget(raw, "") : new RequestTarget(raw[..query], raw[query..]);
    }

    /// <summary>As it stands in lines and events: without the value of a parameter that is named secret.</summary>
    public override string ToString() => Query.Length == 0 ? Path : Path + Secret().Replace(Query, "***");

    // Any letter of the name may be percent-encoded (RFC 3986 section 2.1).
    [GeneratedRegex(
        "(?<=[?&](s|%[57]3)(e|%[46]5)(c|%[46]3)(r|%[57]2)(e|%[46]5)(t|%[57]4)=)[^&]+",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Secret();
}
