using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>The <c>telemetry</c> section, and what becomes of it in the running service.</summary>
public sealed class TelemetrySectionTests
{
    private const string Silent = "\nlogging: { handlers: { console: { type: console, level: none } } }";

    [Theory]
    [InlineData(
        "telemetry: { trace-probability: 1.5 }",
        "telemetry.trace-probability: must be a number from 0 to 1, not \"1.5\"")]
    [InlineData(
        "telemetry: { trace-probability: -0.1 }",
        "telemetry.trace-probability: must be a number from 0 to 1, not \"-0.1\"")]
    [InlineData(
        "telemetry: { trace-probability: NaN }",
        "telemetry.trace-probability: must be a number from 0 to 1, not \"NaN\"")]
    [InlineData(
        "telemetry: { event-samples: { request: { rate: -1 } } }",
        "telemetry.event-samples.request.rate: must be a number from 0 to 1, not \"-1\"")]
    [InlineData(
        "telemetry: { propagation: b4 }", "telemetry.propagation: \"b4\" is not known (did you mean \"b3\"?)")]
    [InlineData(
        "telemetry: { exporters: { a: { type: statd } } }",
        "telemetry.exporters.a.type: \"statd\" is not known (did you mean \"statsd\"?)")]
    [InlineData(
        "telemetry: { exporters: { a: { type: json, pth: x } } }",
        "telemetry.exporters.a.pth: unknown key (did you mean \"path\"?)")]
    [InlineData(
        "telemetry: { exporters: { a: { type: statsd, address: 'a b' } } }",
        "telemetry.exporters.a.address: must be a host, or a host and a port: "
        + "\"a b\": \"a b\" is neither a host name nor an address")]
    [InlineData(
        "telemetry: { exporters: { a: { path: x }, b: { path: ./x } } }",
        "telemetry.exporters.b.path: \"./x\" is already written by another exporter or log handler")]
    [InlineData(
        "telemetry: { exporters: { a: { path: x.2 }, b: { path: x } } }",
        "telemetry.exporters.b.path: \"x.2\" is already written by another exporter or log handler")]
    [InlineData(
        "telemetry: { exporters: { a: { records-max: 0 } } }",
        "telemetry.exporters.a.records-max: must be a whole number from 1 to 1000000, not \"0\"")]
    public void What_is_wrong_is_said_in_one_line(string yaml, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Settings.Read(
            "test.yaml",
            $"{yaml}\ntask-db: {{ memory: }}",
            new Dictionary<string, string>(),
            new CommandLineOptions()));
        Assert.Equal($"test.yaml:1: {problem}", Assert.Single(error.Problems));
    }

    [Fact]
    public async Task An_event_file_that_cannot_be_written_ends_the_start_in_one_line()
    {
        var error = await Assert.ThrowsAsync<IOException>(() => RunningService.StartAsync(
            logging: "telemetry: { exporters: { a: { path: /proc/no/events.json } } }" + Silent));
        Assert.StartsWith(
            "event file /proc/no/events.json cannot be written: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_of_the_store_are_operations_of_the_request()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.File("events.json");
        await using (var service = await RunningService.StartAsync(
            taskDb: $"fs: '{directory.File("store")}'",
            logging: "telemetry: { exporters: { events: "
                + $"{{ path: '{file}', close-time-max-ms: 60000 }} }} }}{Silent}"))
        {
            var path = await service.CreateAsync(Some.TaskJson);
            await service.CreateAsync(Some.TaskJson);
            foreach (var (method, target) in new[]
            {
                ("GET", path), ("GET", "/tasks/none"), ("GET", "/tasks"), ("DELETE", path), ("DELETE", path),
            })
            {
                using var answer = await service.SendAsync(method, target);
            }
        }
        // Other services of this process may leave events that belong to no request.
        var events = File.ReadLines(file).Select(line => JsonElement.Parse(line))
            .Where(one => one.GetProperty("type").GetString()!.StartsWith("request", StringComparison.Ordinal))
            .ToList();
        var calls = events
            .Where(one => one.GetProperty("type").GetString() != "request")
            .Select(one => (one.GetProperty("type").GetString(),
                one.GetProperty("body").GetProperty("row_count").GetInt32()));
        Assert.Equal(
            [
                ("request.store.create", 1), ("request.store.create", 1), ("request.store.find", 1),
                ("request.store.find", 0), ("request.store.list", 2), ("request.store.delete", 1),
                ("request.store.delete", 0),
            ],
            calls);
        // Each is the child of the request that comes after it.
        foreach (var (call, request) in events.Zip(events.Skip(1)).Where((_, i) => i % 2 == 0))
        {
            Assert.Equal(request.GetProperty("id").GetString(), call.GetProperty("id").GetString());
            Assert.Equal(request.GetProperty("span_id").GetString(), call.GetProperty("parent_id").GetString());
        }
    }

    [Fact]
    public async Task A_list_that_fails_on_its_way_is_an_operation_that_failed()
    {
        using var directory = new TemporaryDirectory();
        await using (var service = await RunningService.StartAsync(
            $"sqlite: '{directory.File("tasks.db")}'",
            $"telemetry: {{ exporters: {{ events: {{ path: '{directory.File("events")}' }} }} }}{Silent}"))
        {
            using (var database = new SqliteDatabase(directory.File("tasks.db")))
            {
                database.Run("ALTER TABLE tasks RENAME TO others");
            }
            using var failed = await service.SendAsync("GET", "/tasks");
            Assert.InRange((int)failed.StatusCode, 500, 599);
        }
        var list = Assert.Single(
            LogFiles.WholeLines(directory.File("events")).Select(line => JsonElement.Parse(line)),
            one => one.GetProperty("type").GetString() == "request.store.list");
        Assert.Contains("tasks", list.GetProperty("body").GetProperty("exception").GetString());
    }

    [Theory]
    [InlineData("{ rate: 0 }", "0")]
    [InlineData("{ of: '..' }", "2")]
    [InlineData("{ of: '..', rate: 0.5 }", "0 2")]
    [InlineData("{ rate: 0.5 }", "0 1 2")]
    [InlineData("{ of: nobody, rate: 0 }", "0")]
    public async Task A_rule_of_the_file_says_which_operations_leave_events(string rule, string ofARequest)
    {
        const int requests = 60;
        var kept = 0;
        var yaml = $"event-samples: {{ request.work: {rule} }}";
        await using var app = await ObservedApp.StartAsync(yaml, addRoutes: routes =>
            routes.MapGet("/works", () =>
            {
                for (var i = 0; i < 2; i++)
                {
                    using var work = Operation.Start(".work");
                    kept += work.IsEvent ? 1 : 0;
                }
                return Task.CompletedTask;
            }));
        for (var i = 0; i < requests; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/works")).Status);
        }
        // With coins of a half, one of the counts is missing once in 10^7 runs.
        var counts = (await app.EventsAsync(requests + kept))
            .GroupBy(one => one.GetProperty("id").GetString())
            .Select(group => group.Count(one => one.GetProperty("type").GetString() == "request.work"))
            .Distinct()
            .Order();
        Assert.Equal(ofARequest, string.Join(' ', counts));
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
