using System.Net;
using System.Net.Sockets;

namespace TaskService.Http;

/// <summary>Whose requests are counted together: a host has a whole /64 of IPv6 (RFC 4291 section 2.5.1).</summary>
internal static class ClientAddress
{
    private const int InterfaceBytes = 8;

    /// <param name="address">Of the client; null where a connection has none.</param>
    public static IPAddress Of(IPAddress? address)
    {
        if (address is null)
        {
            return IPAddress.None;
        }
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv6();
        }
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(InterfaceBytes).Clear();
        return new IPAddress(bytes);
    }
}
