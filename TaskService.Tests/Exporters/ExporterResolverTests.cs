using System.Net;
using System.Net.Sockets;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>A receiver whose name is asked for and never told.</summary>
public sealed class ExporterResolverTests : IDisposable
{
    private const int Requests = 50;

    // Who resolves names asks at this port, at any address of this machine.
    private static readonly IPEndPoint Address = new(IPAddress.Parse("127.0.0.77"), 53);

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_name_server_that_hangs_delays_no_request_and_every_lost_record_is_counted()
    {
        using var nameServer = Listen();
        await File.WriteAllTextAsync(
            directory.File("resolv.conf"), $"nameserver {Address.Address}\noptions timeout:30 attempts:5\n");
        await File.WriteAllTextAsync(
            directory.File("config.yaml"),
            """
            service: { address: 127.0.0.1, port: 0 }
            task-db: { memory: }
            telemetry:
              trace-probability: 1
              exporters:
                nameless:
                  type: otlp
                  endpoint: http://collector.test:4318
                  records-max: 20
                  batch-delay-max-ms: 1
                  attempt-time-max-ms: 200
                  attempts-max: 2
                  close-time-max-ms: 200
            """);
        // A file system of its own, so that no other program asks this server. All is one process, for the signal.
        using var service = ServiceProcess.StartShell(
            directory.Path,
            "exec unshare -m /bin/sh -c "
            + "'mount --bind resolv.conf /etc/resolv.conf && exec \"$SERVICE\" -c config.yaml'");
        using var client = await service.ClientAsync();
        for (var i = 0; i < Requests; i++)
        {
            using var answer = await client.GetAsync(new Uri("/tasks/none", UriKind.Relative));
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
        using var limit = new CancellationTokenSource(Until.Limit);
        var asked = await nameServer.ReceiveAsync(limit.Token);
        Assert.Contains("collector", Encoding.ASCII.GetString(asked.Buffer), StringComparison.Ordinal);
        service.Signal("TERM");
        Assert.Equal(0, await service.ExitAsync());
        // Nothing was sent, so that all of it was dropped; each request is two operations.
        Assert.Equal(
            2 * Requests,
            service.Output.Select(LogfmtLine.ParseBrief)
                .Where(line => line["message"] == "EXPORTER DROPS END").Sum(line => int.Parse(line["dropped"]!)));
    }

    private static UdpClient Listen()
    {
        Mount.SkipUnlessAllowed();
        try
        {
            return new UdpClient(Address);
        }
        catch (SocketException error)
        {
            Assert.Skip($"this machine does not let tests mount a file system, or has a name server: {error.Message}");
            throw;
        }
    }
}
