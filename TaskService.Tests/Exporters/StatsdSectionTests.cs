using System.Net;
using System.Net.Sockets;
using System.Text;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>An exporter of type <c>statsd</c>, as a configuration has it.</summary>
public sealed class StatsdSectionTests
{
    private const string Silent = "\nlogging: { handlers: { console: { type: console, level: none } } }";

    [Fact]
    public void An_address_that_is_none_is_a_problem_in_one_line()
    {
        var error = Assert.Throws<ConfigException>(() => Settings.Read(
            "test.yaml",
            "telemetry: { exporters: { a: { type: statsd, address: 'a b' } } }\ntask-db: { memory: }",
            new Dictionary<string, string>(),
            new CommandLineOptions()));
        Assert.Equal(
            "test.yaml:1: telemetry.exporters.a.address: must be a host, or a host and a port: "
            + "\"a b\": \"a b\" is neither a host name nor an address",
            Assert.Single(error.Problems));
    }

    [Fact]
    public async Task An_exporter_that_is_not_there_loses_records_says_so_and_no_request_knows()
    {
        using var hits = new LimitHits();
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml + """

            telemetry:
              exporters:
                lost: { type: statsd, address: name.invalid, records-max: 10, batch-records-max: 5 }
            """);
        for (var i = 0; i < 100; i++)
        {
            using var answer = await service.SendAsync("GET", "/tasks/none");
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
        // Each request is two operations, itself and its call of the store.
        await Until.TrueAsync(() => hits["taskservice.exporter.drops lost"] >= 2 * 100 - 10, "drops");
        var begin = await Until.ResultAsync(
            () => files.Read("brief").FirstOrDefault(line => line.Contains("EXPORTER DROPS", StringComparison.Ordinal)),
            "the line");
        Assert.Contains(
            " taskservice.exporters WARNING : message=\"EXPORTER DROPS BEGIN\" exporter=\"lost\" dropped=",
            begin,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Meters_that_cannot_be_sent_are_counted_and_no_request_knows()
    {
        using var hits = new LimitHits();
        // Where nobody may send to without asking for it.
        await using var service = await RunningService.StartAsync(logging: """
            telemetry:
              exporters:
                forbidden: { type: statsd, address: 255.255.255.255, meters-interval-ms: 20 }
            """ + Silent);
        for (var i = 0; i < 20; i++)
        {
            using var answer = await service.SendAsync("GET", "/tasks/none");
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
        await Until.TrueAsync(() => hits["taskservice.exporter.meter.failures forbidden"] >= 2, "failures");
        using var after = await service.SendAsync("GET", "/tasks/none");
        Assert.Equal(HttpStatusCode.NotFound, after.StatusCode);
    }

    [Fact]
    public async Task Requests_arrive_at_statsd_and_counters_of_meters_too()
    {
        using var receiver = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)receiver.Client.LocalEndPoint!).Port;
        await using var service = await RunningService.StartAsync(
            logging: $$"""
                telemetry:
                  exporters:
                    numbers: { type: statsd, address: '127.0.0.1:{{port}}', prefix: todo., meters-interval-ms: 20 }
                """ + Silent,
            http: "body-bytes-max: 10");
        using var missing = await service.SendAsync("GET", "/tasks/none");
        using var large = await service.SendAsync("POST", "/tasks", RunningService.Json(new string('x', 100)));
        var lines = new List<string>();
        using var limit = new CancellationTokenSource(Until.Limit);
        while (!(lines.Any(line => line.StartsWith("todo.route.GET./tasks/{id}.404:", StringComparison.Ordinal))
            && lines.Any(line => line.StartsWith(
                "todo.taskservice.http.limit.hits.body-bytes-max:", StringComparison.Ordinal))))
        {
            var packet = await receiver.ReceiveAsync(limit.Token);
            lines.AddRange(Encoding.UTF8.GetString(packet.Buffer).Split('\n'));
        }
        Assert.Contains(lines, line => line.EndsWith("|ms", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.EndsWith("|c", StringComparison.Ordinal));
    }
}
