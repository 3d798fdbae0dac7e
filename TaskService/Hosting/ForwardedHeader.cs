using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Primitives;
using TaskService.Configuration;

namespace TaskService.Hosting;

/// <summary>
/// Takes the address and the scheme of the client from what proxies say, as far back as they are trusted. Each proxy
/// adds to the end of what it received, so the headers are read from their ends: whatever a client has put in front
/// is not looked at once a proxy is reached that is not trusted. The framework's middleware reads them from the front,
/// where one quote makes all of a header unreadable.
/// </summary>
internal static class ForwardedHeader
{
    public static void Use(WebApplication app, ProxySettings proxies)
    {
        if (proxies.Trusted.Count == 0)
        {
            return;
        }
        app.Use((http, next) =>
        {
            Apply(http, proxies);
            return next(http);
        });
    }

    private static void Apply(HttpContext http, ProxySettings proxies)
    {
        var headers = http.Request.Headers;
        foreach (var (address, scheme) in proxies.Standard
            ? Elements(headers["Forwarded"]).Select(ParseElement)
            : Pairs(Elements(headers["X-Forwarded-For"]), Elements(headers["X-Forwarded-Proto"])))
        {
            if (!IsTrusted(http.Connection.RemoteIpAddress, proxies))
            {
                return;
            }
            if (scheme is not null && IsScheme(scheme))
            {
                http.Request.Scheme = scheme;
            }
            if (ParseAddress(address) is not { } client)
            {
                return;
            }
            (http.Connection.RemoteIpAddress, http.Connection.RemotePort) = (client.Address, client.Port);
        }
    }

    private static bool IsTrusted(IPAddress? address, ProxySettings proxies)
    {
        var plain = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        return plain is not null && proxies.Trusted.Any(network => network.Contains(plain));
    }

    private static bool IsScheme(string text) =>
        text.Equals("https", StringComparison.OrdinalIgnoreCase)
        || text.Equals("http", StringComparison.OrdinalIgnoreCase);

    /// <summary>The elements of a list, the last one first; empty ones do not count (RFC 9110 section
    /// 5.6.1).</summary>
    private static IEnumerable<string> Elements(StringValues lines)
    {
        var text = string.Join(',', lines.AsEnumerable());
        for (var end = text.Length; end > 0;)
        {
            var start = StartOfLast(text, end);
            if (text[start..end].Trim(' ', '\t') is { Length: > 0 } element)
            {
                yield return element;
            }
            end = start - 1;
        }
    }

    /// <summary>Where the last element begins: behind the last comma that is in no quoted string.</summary>
    private static int StartOfLast(string text, int end)
    {
        var quoted = false;
        for (var at = end - 1; at >= 0; at--)
        {
            if (text[at] == ',' && !quoted)
            {
                return at + 1;
            }
            // A quote behind an odd number of backslashes is part of its string.
            var escapes = text[at] == '"' ? at - 1 - text.AsSpan(0, at).LastIndexOfAnyExcept('\\') : 1;
            quoted ^= escapes % 2 == 0;
        }
        return 0;
    }

    /// <summary>The customary headers: the elements of both that are as far from the end belong together.</summary>
    private static IEnumerable<(string? Address, string? Scheme)> Pairs(
        IEnumerable<string> addresses, IEnumerable<string> schemes)
    {
        using var scheme = schemes.GetEnumerator();
        foreach (var address in addresses)
        {
            yield return (address.Trim('"'), scheme.MoveNext() ? scheme.Current : null);
        }
        if (scheme.MoveNext())
        {
            yield return (null, scheme.Current);
        }
    }

    /// <summary>An element of RFC 7239 section 4; nothing of one that is malformed.</summary>
    private static (string? Address, string? Scheme) ParseElement(string text)
    {
        var (address, scheme) = ((string?)null, (string?)null);
        for (var at = 0; at < text.Length; at++)
        {
            at = SkipSpace(text, at);
            if (at == text.Length || text[at] == ';')
            {
                continue;
            }
            var equals = text.IndexOf('=', at);
            if (equals < 0 || ReadValue(text, equals + 1, out var end) is not { } value)
            {
                return (null, null);
            }
            var name = text.AsSpan(at, equals - at);
            address = name.Equals("for", StringComparison.OrdinalIgnoreCase) ? value : address;
            scheme = name.Equals("proto", StringComparison.OrdinalIgnoreCase) ? value : scheme;
            at = end;
        }
        return (address, scheme);
    }

    /// <summary>A token or a quoted string, and the end of the pair behind it.</summary>
    /// <returns>Null when it is neither.</returns>
    private static string? ReadValue(string text, int at, out int end)
    {
        var value = new StringBuilder();
        var quoted = at < text.Length && text[at] == '"';
        end = quoted ? at + 1 : at;
        while (end < text.Length && (quoted ? text[end] != '"' : text[end] is not (';' or ' ' or '\t' or '"')))
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
        return value.Length > 0 && (end == text.Length || text[end] == ';') ? value.ToString() : null;
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && text[at] is ' ' or '\t')
        {
            at++;
        }
        return at;
    }

    /// <summary>An address, perhaps with a port; null when it is not in the usual form, or hidden (RFC 7239 section
    /// 6).</summary>
    private static IPEndPoint? ParseAddress(string? text)
    {
        if (text?.LastIndexOf(":_", StringComparison.Ordinal) is > 0 and var hiddenPort)
        {
            text = text[..hiddenPort];
        }
        // The framework takes 1, 0x7f.1 and 010.0.0.1 for addresses, too.
        return text is not null && IPEndPoint.TryParse(text, out var endpoint)
            && (endpoint.AddressFamily != AddressFamily.InterNetwork
                || text.AsSpan().SequenceEqual($"{endpoint.Address}")
                || text.AsSpan().StartsWith($"{endpoint.Address}:"))
            ? endpoint
            : null;
    }
}
