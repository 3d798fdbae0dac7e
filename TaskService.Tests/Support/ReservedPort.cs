using System.Net;
using System.Net.Sockets;

namespace TaskService.Tests.Support;

/// <summary>
/// A port of a server that tests start, kept for it while it is down, too, by its number in UDP: another server of the
/// tests, in this process or another one, would else answer in its place. It is none that the system gives to anybody.
/// </summary>
internal sealed class ReservedPort : IDisposable
{
    private readonly Socket reserved = Reserve();

    public int Number => ((IPEndPoint)reserved.LocalEndPoint!).Port;

    public void Dispose() => reserved.Dispose();

    private static Socket Reserve()
    {
        while (true)
        {
            var address = new IPEndPoint(IPAddress.Loopback, Random.Shared.Next(20_000, 32_000));
            var reserved = new Socket(SocketType.Dgram, ProtocolType.Udp);
            using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                reserved.Bind(address);
                listener.Bind(address);
                return reserved;
            }
            catch (SocketException)
            {
                // It is in use.
                reserved.Dispose();
            }
        }
    }
}
