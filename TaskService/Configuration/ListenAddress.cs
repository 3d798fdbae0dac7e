using System.Globalization;
using System.Net;

namespace TaskService.Configuration;

/// <summary>Where the service listens, in the words of Kestrel's URLs.</summary>
/// <param name="Host">An IP address; <see cref="AnyHost"/> for all, of IPv6 too where the machine has it; or
/// <see cref="Localhost"/> for both loopback addresses.</param>
/// <param name="Port">0 takes a free one, but not on <see cref="Localhost"/>.</param>
/// <param name="IsHttps">Null where it is HTTPS exactly if there is a certificate.</param>
internal sealed record ListenAddress(string Host, int Port, bool? IsHttps = null)
{
    public const string AnyHost = "*";
    public const string Localhost = "localhost";

    private const string Scheme = "://";

    public static string Url(bool? isHttps, string host, string port)
    {
        var scheme = isHttps switch { null => "", true => $"https{Scheme}", false => $"http{Scheme}" };
        return host.Contains(':', StringComparison.Ordinal) ? $"{scheme}[{host}]:{port}" : $"{scheme}{host}:{port}";
    }

    /// <summary>Reads a host.</summary>
    /// <returns>Null when it is neither an IP address, nor <c>localhost</c>, <c>*</c> or <c>+</c>.</returns>
    public static string? HostOf(string text)
    {
        if (text is AnyHost or "+")
        {
            return AnyHost;
        }
        if (text.Equals(Localhost, StringComparison.OrdinalIgnoreCase))
        {
            return Localhost;
        }
        // The parser takes "8080" for 0.0.31.144, and leaves out what follows a bracket.
        return IPAddress.TryParse(text, out var address) && !text.Contains(']', StringComparison.Ordinal)
            && (text.Contains(':', StringComparison.Ordinal) || text == $"{address}") ? $"{address}" : null;
    }

    /// <summary>Reads <c>http://HOST:PORT</c>, or <c>HOST:PORT</c> for what a certificate decides.</summary>
    /// <param name="url">A host is as <see cref="HostOf"/> reads it, with brackets around an address of IPv6.</param>
    /// <param name="address">What it says.</param>
    /// <param name="problem">Why it cannot be used.</param>
    public static bool TryParse(string url, out ListenAddress address, out string problem)
    {
        var end = url.IndexOf(Scheme, StringComparison.Ordinal);
        var scheme = end < 0 ? "" : url[..end].ToLowerInvariant();
        var authority = end < 0 ? url : url[(end + Scheme.Length)..];
        bool? isHttps = scheme.Length == 0 ? null : scheme == "https";
        authority = authority.EndsWith('/') ? authority[..^1] : authority;
        var colon = authority.LastIndexOf(':');
        colon = colon > authority.LastIndexOf(']') ? colon : -1;
        var hostText = colon < 0 ? authority : authority[..colon];
        var defaultPort = scheme switch { "http" => "80", "https" => "443", _ => "" };
        var portText = colon < 0 ? defaultPort : authority[(colon + 1)..];
        var isBracketed = hostText.StartsWith('[') && hostText.EndsWith(']');
        var host = isBracketed ? HostOf(hostText[1..^1]) : HostOf(hostText);
        var isPort = int.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port <= IPEndPoint.MaxPort;
        address = new ListenAddress(host ?? "", port, isHttps);
        // A user name and a password may stand before the host.
        var shown = url[(url.LastIndexOf('@') + 1)..];
        problem = "";
        if (scheme is not ("" or "http" or "https"))
        {
            problem = $"\"{shown}\" is neither http:// nor https://";
        }
        else if (hostText is "unix" or "pipe")
        {
            problem = $"\"{shown}\" is a Unix socket or a pipe; only addresses with a port are listened on";
        }
        else if (authority.AsSpan().IndexOfAny("/?#") >= 0)
        {
            problem = $"\"{shown}\" must have no path";
        }
        else if (host is null || isBracketed != host.Contains(':', StringComparison.Ordinal) || !isPort)
        {
            problem = $"must be a URL such as http://+:8080, http://localhost:8080 or http://[::1]:80, not \"{shown}\"";
        }
        else if (host == Localhost && port == 0)
        {
            problem = $"\"{shown}\": no free port is chosen for localhost, which is two addresses; name 127.0.0.1";
        }
        return problem.Length == 0;
    }

    public override string ToString() => Url(null, Host, $"{Port}");
}
