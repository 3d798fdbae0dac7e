using System.Net;
using System.Net.Sockets;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>The command <c>stats-db</c> in a directory of the test, with a receiver of statsd.</summary>
public abstract class StatsDbRun : IDisposable
{
    private readonly UdpClient statsd = new(new IPEndPoint(IPAddress.Loopback, 0));

    private protected TemporaryDirectory Files { get; } = new();

    private protected string StatsdAddress => $"127.0.0.1:{((IPEndPoint)statsd.Client.LocalEndPoint!).Port}";

    public void Dispose()
    {
        statsd.Dispose();
        Files.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <returns>The lines of standard error.</returns>
    private protected async Task<string[]> RunAsync(int code, params string[] args)
    {
        using var process = ServiceProcess.Start(Files.Path, args);
        var exit = await process.ExitAsync();
        Assert.True(code == exit, $"{exit} instead of {code}: {string.Join('\n', process.Errors)}");
        Assert.Empty(process.Output);
        return [.. process.Errors];
    }

    private protected async Task<List<string>> PacketsAsync(int count)
    {
        var packets = new List<string>();
        using var limit = new CancellationTokenSource(Until.Limit);
        while (packets.Count < count)
        {
            packets.Add(Encoding.UTF8.GetString((await statsd.ReceiveAsync(limit.Token)).Buffer));
        }
        Assert.Equal(0, statsd.Available);
        return packets;
    }
}
