using System.Net.Sockets;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>A POST of a task whose endpoint waits for the end of its body, for as long as the test wants.</summary>
internal sealed class HeldRequest : IDisposable
{
    /// <summary>Settings of <c>service</c> with which a stop waits for it.</summary>
    public const string Service = "shutdown-time-max-ms: 600000";

    /// <summary>Settings of <c>http</c> with which the server waits as well.</summary>
    public const string Http = "bytes-per-second-min: 1, request-time-max-ms: 3600000";

    // So much that it has come fast enough for a quarter of an hour.
    private static readonly byte[] Begin = Encoding.ASCII.GetBytes("{\"title\":\"t\"" + new string(' ', 1_000));

    private readonly TcpClient client = new();
    private StreamReader reader = StreamReader.Null;

    /// <summary>Waits until the server has asked for the body: it has read the head, and the endpoint waits.</summary>
    public static async Task<HeldRequest> BeginAsync(int port)
    {
        var request = new HeldRequest();
        await request.client.ConnectAsync("127.0.0.1", port);
        var stream = request.client.GetStream();
        request.reader = new StreamReader(stream);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: {Begin.Length + 1}\r\nExpect: 100-continue\r\n\r\n"));
        Assert.Equal("HTTP/1.1 100 Continue", await request.reader.ReadLineAsync());
        await stream.WriteAsync(Begin);
        return request;
    }

    /// <summary>Ends the body.</summary>
    /// <returns>What the server answers until it closes the connection.</returns>
    public async Task<string> FinishAsync()
    {
        await client.GetStream().WriteAsync("}"u8.ToArray());
        return await reader.ReadToEndAsync();
    }

    public void Dispose()
    {
        reader.Dispose();
        client.Dispose();
    }
}
