using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>Stands between a client and a server, and can lose what the server answers.</summary>
internal sealed class TcpProxy : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly int port;
    private readonly CancellationTokenSource closing = new();
    private volatile byte[]? lost;
    private int refused;

    /// <param name="port">Of the server, on this machine.</param>
    public TcpProxy(int port)
    {
        this.port = port;
        listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Whether new connections are closed at once, as of a server that has gone.</summary>
    public bool Refuses { get; set; }

    /// <summary>How many were.</summary>
    public int Refused => Volatile.Read(ref refused);

    /// <summary>
    /// What is answered to a client that has sent this text ends its connection instead of reaching it; null for
    /// nothing.
    /// </summary>
    public string? LosesAnswersTo
    {
        set => lost = value is null ? null : Encoding.UTF8.GetBytes(value);
    }

    public void Dispose()
    {
        closing.Cancel();
        listener.Dispose();
        closing.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(closing.Token);
                _ = ServeAsync(client);
            }
        }
        catch (Exception error)
            when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using var both = client;
        if (Refuses)
        {
            Interlocked.Increment(ref refused);
            return;
        }
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, port, closing.Token);
            var isLost = new StrongBox<bool>();
            await Task.WhenAny(
                CopyAsync(client.GetStream(), server.GetStream(), Sent),
                CopyAsync(server.GetStream(), client.GetStream(), _ => isLost.Value && lost is not null));

            bool Sent(ReadOnlyMemory<byte> sent)
            {
                isLost.Value |= Loses(sent);
                return false;
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException)
        {
            // Both ends are closed, which is what there is to see.
        }
    }

    private bool Loses(ReadOnlyMemory<byte> sent) => lost is { } text && sent.Span.IndexOf(text) >= 0;

    /// <param name="from">Is read.</param>
    /// <param name="to">Is written.</param>
    /// <param name="see">Is told what goes by, and says of an answer whether it ends here.</param>
    private async Task CopyAsync(NetworkStream from, NetworkStream to, Func<ReadOnlyMemory<byte>, bool> see)
    {
        var buffer = new byte[16_384];
        try
        {
            while (await from.ReadAsync(buffer, closing.Token) is > 0 and var count)
            {
                if (see(buffer.AsMemory(0, count)))
                {
                    return;
                }
                await to.WriteAsync(buffer.AsMemory(0, count), closing.Token);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The other end has gone, and so does this one.
        }
    }
}
