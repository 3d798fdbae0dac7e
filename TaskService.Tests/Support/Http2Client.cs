using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>Sends requests of HTTP/2 over TLS that no client library would.</summary>
internal static class Http2Client
{
    private const int FrameHeadBytes = 9;
    private const byte Data = 0;
    private const byte Headers = 1;
    private const byte Reset = 3;
    private const byte Settings = 4;
    private const byte GoAway = 7;
    private const byte EndOfStream = 1;
    private const byte EndOfHeaders = 4;

    /// <summary>On a connection of its own.</summary>
    /// <param name="port">Of the service, on the loopback address.</param>
    /// <param name="headers">Pseudo-headers first.</param>
    /// <param name="body">Null for none.</param>
    /// <returns>Which frame answers: HEADERS, RST_STREAM or GOAWAY.</returns>
    public static async Task<string> SendAsync(
        int port, IEnumerable<(string Name, string Value)> headers, byte[]? body = null)
    {
        using var client = new TcpClient();
        using var limit = new CancellationTokenSource(Until.Limit);
        await client.ConnectAsync("127.0.0.1", port, limit.Token);
        await using var stream = new SslStream(client.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == "CN=localhost",
            },
            limit.Token);
        byte[] block = [.. headers.SelectMany(header => Literal(header.Name, header.Value))];
        byte[] request = body is null
            ? Frame(Headers, EndOfHeaders | EndOfStream, stream: 1, block)
            : [.. Frame(Headers, EndOfHeaders, stream: 1, block), .. Frame(Data, EndOfStream, stream: 1, body)];
        byte[] preface = [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, flags: 0, stream: 0, [])];
        await stream.WriteAsync((byte[])[.. preface, .. request], limit.Token);
        var head = new byte[FrameHeadBytes];
        while (true)
        {
            await stream.ReadExactlyAsync(head, limit.Token);
            await stream.ReadExactlyAsync(new byte[(head[0] << 16) | (head[1] << 8) | head[2]], limit.Token);
            if (head[3] is Headers or Reset or GoAway)
            {
                return head[3] == Headers ? "HEADERS" : head[3] == Reset ? "RST_STREAM" : "GOAWAY";
            }
        }
    }

    /// <summary>RFC 9113 section 4.1.</summary>
    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var head = new byte[FrameHeadBytes];
        BinaryPrimitives.WriteInt32BigEndian(head, payload.Length << 8);
        (head[3], head[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(5), stream);
        return [.. head, .. payload];
    }

    /// <summary>A field without indexing and with a new name (RFC 7541 section 6.2.2).</summary>
    private static byte[] Literal(string name, string value) => [0, .. Text(name), .. Text(value)];

    /// <summary>RFC 7541 section 5.2, without Huffman codes.</summary>
    private static byte[] Text(string text)
    {
        var bytes = new List<byte>();
        var rest = text.Length;
        if (rest < 127)
        {
            bytes.Add((byte)rest);
        }
        else
        {
            bytes.Add(127);
            for (rest -= 127; rest >= 128; rest /= 128)
            {
                bytes.Add((byte)((rest % 128) + 128));
            }
            bytes.Add((byte)rest);
        }
        return [.. bytes, .. Encoding.Latin1.GetBytes(text)];
    }
}
