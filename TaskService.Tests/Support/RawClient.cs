using System.Net.Sockets;
using System.Text;
using TaskService.Http;

namespace TaskService.Tests.Support;

/// <summary>An answer as bytes on the wire, read without any help that could hide what is wrong with it.</summary>
/// <param name="Status">0 when the connection was closed without an answer.</param>
/// <param name="Head">The status line and the header lines.</param>
/// <param name="Body">Without its framing.</param>
internal sealed record RawAnswer(int Status, string Head, string Body)
{
    /// <summary>What happened instead, when there is no answer.</summary>
    public string Instead { get; init; } = "";

    public static RawAnswer None(string instead) => new(0, "", "") { Instead = instead };

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <summary>By name, in any case; one that comes twice fails.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; } = Head.Split("\r\n").Skip(1)
        .Select(line => line.Split(':', 2))
        .ToDictionary(line => line[0], line => line[1].Trim(), StringComparer.OrdinalIgnoreCase);
}

/// <summary>Sends bytes that no client library would, one request after the other on a connection if it
/// lasts.</summary>
internal sealed class RawClient(int port) : IDisposable
{
    private const int CheckedBytesMax = 4_096;

    private TcpClient? connection;
    private string before = "the first on its connection";

    /// <summary>On a connection of its own.</summary>
    /// <param name="port">Of the service, on the loopback address.</param>
    /// <param name="request">What is sent, in one piece.</param>
    /// <param name="isCut">Whether the request is not whole: the connection is then closed from this side,
    /// too.</param>
    public static async Task<RawAnswer> SendAsync(int port, byte[] request, bool isCut = false)
    {
        using var client = new RawClient(port);
        return await client.SendAsync(request, isCut);
    }

    /// <inheritdoc cref="SendAsync(int, byte[], bool)"/>
    public async Task<RawAnswer> SendAsync(byte[] request, bool isCut)
    {
        connection ??= await ConnectAsync();
        var answer = await SendAsync(connection, request, isCut);
        if (answer.Status == 0)
        {
            answer = answer with { Instead = $"{answer.Instead}; {before}" };
        }
        before = $"after {Encoding.Latin1.GetString(request, 0, Math.Min(request.Length, 500))}\n{answer.Head}";
        if (isCut || answer.Status == 0 || answer.Header("Connection") == "close"
            || (answer.Header("Content-Length") ?? answer.Header("Transfer-Encoding")) is null)
        {
            Dispose();
        }
        return answer;
    }

    public void Dispose()
    {
        connection?.Dispose();
        (connection, before) = (null, "the first on its connection");
    }

    private async Task<TcpClient> ConnectAsync()
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync("127.0.0.1", port);
        return client;
    }

    private static async Task<RawAnswer> SendAsync(TcpClient client, byte[] request, bool isCut)
    {
        var stream = client.GetStream();
        using var limit = new CancellationTokenSource(Until.Limit);
        try
        {
            await WriteAsync(client, request, isCut, limit.Token);
            var isHead = request.AsSpan().StartsWith("HEAD "u8);
            var answer = await ReadAsync(stream, isHead, isCut, limit.Token);
            if (answer.Status > 0)
            {
                await AssertContractAsync(request, answer);
            }
            return answer;
        }
        catch (IOException error)
        {
            // Reset, because the server did not want the rest of it.
            return RawAnswer.None(error.Message);
        }
    }

    private static async Task WriteAsync(TcpClient client, byte[] request, bool isCut, CancellationToken cancel)
    {
        try
        {
            await client.GetStream().WriteAsync(request, cancel);
            if (isCut)
            {
                client.Client.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            // The server did not want the rest of it; what it said before it closed can still be read.
        }
    }

    private static async Task AssertContractAsync(byte[] request, RawAnswer answer)
    {
        var line = Encoding.Latin1.GetString(request, 0, Math.Max(0, request.AsSpan().IndexOf("\r\n"u8))).Split(' ');
        if (line.Length == 3)
        {
            var target = RequestTarget.Parse(line[1]);
            // What has no length is not read to its end here, and long lists say no more than short ones.
            var isWhole = answer.Header("Content-Length") is not null && answer.Body.Length <= CheckedBytesMax;
            var body = isWhole ? Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(answer.Body)) : null;
            var contract = await ApiContract.GetAsync();
            contract.AssertAnswer(line[0], target.Path, answer.Status, answer.Headers, body);
        }
    }

    private static async Task<RawAnswer> ReadAsync(
        NetworkStream stream, bool isHead, bool isCut, CancellationToken cancel)
    {
        var text = new StringBuilder();
        var piece = new byte[16 * 1024];
        while (true)
        {
            if (Whole(text.ToString(), isHead) is { } answer)
            {
                return answer;
            }
            var length = await stream.ReadAsync(piece, cancel);
            if (length == 0)
            {
                // The server takes a client that stopped sending for one that has gone.
                Assert.True(isCut || text.Length == 0, $"the answer ends within itself: {text}");
                return RawAnswer.None("closed");
            }
            text.Append(Encoding.Latin1.GetString(piece, 0, length));
        }
    }

    private static RawAnswer? Whole(string text, bool isHead)
    {
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return null;
        }
        var answer = new RawAnswer(int.Parse(text.AsSpan(9, 3), null), text[..end], text[(end + 4)..]);
        if (answer.Status == 100)
        {
            // Not yet the answer (RFC 9110 section 15.2).
            return Whole(answer.Body, isHead);
        }
        if (isHead || answer.Status is 204 or 304)
        {
            return answer with { Body = "" };
        }
        // Behind it may be the answer to what the server took for another request.
        if (answer.Header("Transfer-Encoding") == "chunked")
        {
            var last = answer.Body.IndexOf("\r\n0\r\n\r\n", StringComparison.Ordinal);
            return last < 0 ? null : answer with { Body = answer.Body[..last] };
        }
        var length = int.Parse(answer.Header("Content-Length") ?? "0", null);
        return answer.Body.Length < length ? null : answer with { Body = answer.Body[..length] };
    }
}
