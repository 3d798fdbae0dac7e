using System.Text;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Primitives;
using TaskService.Configuration;
using IPNetwork = System.Net.IPNetwork;

namespace TaskService;

/// <summary>The proxies in front of the service, and how they say whom they speak for.</summary>
/// <param name="Trusted">Whose word is taken; empty for nobody's.</param>
/// <param name="Standard">
/// Whether they send <c>Forwarded</c> (RFC 7239) rather than <c>X-Forwarded-For</c>. Only one of the two is heard: a
/// proxy passes the other one on as the client sent it.
/// </param>
internal sealed record ProxySettings(IReadOnlyList<IPNetwork> Trusted, bool Standard)
{
    public static ProxySettings Read(ConfigSection section) => new(
        section.Networks("trusted-proxies"),
        section.Choice("forwarded-header", false, [("x-forwarded-for", false), ("forwarded", true)]));
}

/// <summary>
/// Takes the address and the scheme of the client from what proxies say, as far back as they are trusted. The
/// framework's middleware does that for <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c>; the standard's header is
/// put into their words first (RFC 7239 section 7.4).
/// </summary>
internal static class ForwardedHeader
{
    // What the middleware takes for neither an address nor a scheme, so that it goes no further back, or passes over.
    private const string NoAddress = "unknown";
    private const string NoScheme = "-";

    public static void Use(WebApplication app, ProxySettings proxies)
    {
        if (proxies.Trusted.Count == 0)
        {
            return;
        }
        var options = new ForwardedHeadersOptions
        {
            ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto,
            ForwardLimit = null,
        };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in proxies.Trusted)
        {
            options.KnownIPNetworks.Add(network);
        }
        if (proxies.Standard)
        {
            app.Use((http, next) =>
            {
                Translate(http.Request.Headers);
                return next(http);
            });
        }
        app.UseForwardedHeaders(options);
    }

    private static void Translate(IHeaderDictionary headers)
    {
        var elements = Parse(headers["Forwarded"]);
        headers["X-Forwarded-For"] = string.Join(", ", elements.Select(element => element.For));
        headers["X-Forwarded-Proto"] = string.Join(", ", elements.Select(element => element.Proto));
    }

    /// <summary>The elements of RFC 7239 section 4, the nearest proxy's last; none if anything is
    /// malformed.</summary>
    private static List<(string For, string Proto)> Parse(StringValues lines)
    {
        var elements = new List<(string, string)>();
        var text = string.Join(',', lines.AsEnumerable());
        var (at, address, scheme, any) = (0, NoAddress, NoScheme, false);
        while (true)
        {
            at = SkipSpace(text, at);
            if (at == text.Length || text[at] is ',' or ';')
            {
                if (any && (at == text.Length || text[at] == ','))
                {
                    elements.Add((address, scheme));
                    (address, scheme, any) = (NoAddress, NoScheme, false);
                }
                if (at == text.Length)
                {
                    return elements;
                }
                at++;
                continue;
            }
            var equals = text.IndexOf('=', at);
            if (equals < 0 || ReadValue(text, equals + 1, out var end) is not { } value)
            {
                return [];
            }
            var name = text[at..equals];
            // Nothing that could be taken for more than one of them.
            var plain = !value.AsSpan().ContainsAny(" ,\"\\");
            address = plain && name.Equals("for", StringComparison.OrdinalIgnoreCase) ? value : address;
            scheme = plain && name.Equals("proto", StringComparison.OrdinalIgnoreCase) ? value : scheme;
            (at, any) = (end, true);
        }
    }

    /// <summary>A token or a quoted string, and the end of the pair behind it.</summary>
    /// <returns>Null when it is neither.</returns>
    private static string? ReadValue(string text, int at, out int end)
    {
        var value = new StringBuilder();
        var quoted = at < text.Length && text[at] == '"';
        end = quoted ? at + 1 : at;
        while (end < text.Length && (quoted ? text[end] != '"' : text[end] is not (',' or ';' or ' ' or '\t' or '"')))
        {
            end += quoted && text[end] == '\\' ? 1 : 0;
            if (end < text.Length)
            {
                value.Append(text[end++]);
            }
        }
        if (quoted && end++ >= text.Length)
        {
            return null;
        }
        end = SkipSpace(text, end);
        return value.Length > 0 && (end == text.Length || text[end] is ',' or ';') ? value.ToString() : null;
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && text[at] is ' ' or '\t')
        {
            at++;
        }
        return at;
    }
}
