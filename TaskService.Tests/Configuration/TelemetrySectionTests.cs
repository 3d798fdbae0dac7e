using System.Net;
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
        "telemetry: { exporters: { a: { type: jsn } } }",
        "telemetry.exporters.a.type: \"jsn\" is not known (did you mean \"json\"?)")]
    [InlineData(
        "telemetry: { exporters: { a: { type: json, pth: x } } }",
        "telemetry.exporters.a.pth: unknown key (did you mean \"path\"?)")]
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
}
