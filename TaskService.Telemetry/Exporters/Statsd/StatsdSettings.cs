using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace TaskService.Telemetry.Exporters.Statsd;

/// <summary>Address and format of a statsd receiver.</summary>
/// <param name="Host">A name or an address.</param>
/// <param name="Port">UDP, 1 to 65535.</param>
/// <param name="Prefix">Prepended to every name as it is, so it needs a dot at its end.</param>
/// <param name="Tags">How tags are written.</param>
/// <param name="PacketBytesMax">
/// Maximum packet size, unless a single line is longer; 1,432 fit into an Ethernet frame with all headers.
/// </param>
public sealed record StatsdSettings(
    string Host,
    int Port = StatsdSettings.PortDefault,
    string Prefix = "",
    StatsdTagFormat Tags = StatsdTagFormat.None,
    int PacketBytesMax = 1432)
{
    /// <summary>Export interval of meters.</summary>
    public TimeSpan MetersInterval { get; init; } = TimeSpan.FromSeconds(10);

    public const int PortDefault = 8125;

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>[::1]:port</c> or <c>::1</c>; nothing is resolved.</summary>
    /// <param name="error">The problem in one line.</param>
    public static bool TryParse(string address, out string host, out int port, [NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(address);
        // A colon within an IPv6 address does not precede a port.
        var colon = address.LastIndexOf(':');
        var hasPort = colon > 0 && (address[colon - 1] == ']' || !address.AsSpan(0, colon).Contains(':'));
        host = hasPort ? address[..colon] : address;
        port = PortDefault;
        if (host.StartsWith('[') && host.EndsWith(']') && host.Contains(':', StringComparison.Ordinal))
        {
            host = host[1..^1];
        }
        var isHost = host.Contains(':', StringComparison.Ordinal)
            ? IPAddress.TryParse(host, out _)
            : Uri.CheckHostName(host) != UriHostNameType.Unknown;
        error = null;
        if (!isHost)
        {
            error = $"\"{address}\": \"{host}\" is neither a host name nor an address";
        }
        else if (hasPort
            && (!int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
                || port is < 1 or > IPEndPoint.MaxPort))
        {
            error = $"\"{address}\": the port must be a number from 1 to 65535";
        }
        return error is null;
    }
}

/// <summary>How tags are written.</summary>
public enum StatsdTagFormat
{
    /// <summary>Their values are parts of the dotted name, at its end.</summary>
    None,

    /// <summary>After the value, as <c>|#key:value,...</c>.</summary>
    Datadog,
}
