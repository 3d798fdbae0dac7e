using System.Diagnostics.Metrics;
using System.Net;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Operations;

public sealed partial class MetricsEndpointTests
{
    private const string Secret = "the-secret-of-statistics";
    private const string TextType = "text/plain; version=0.0.4; charset=utf-8";
    private const string OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    [Theory]
    [InlineData(null, TextType)]
    [InlineData("*/*", TextType)]
    [InlineData("text/html, */*;q=0.8", TextType)]
    [InlineData("application/openmetrics-text", OpenMetricsType)]
    [InlineData("application/openmetrics-text; version=0.0.1", TextType)]
    [InlineData("application/openmetrics-text;q=0.5, text/plain", TextType)]
    [InlineData("application/openmetrics-text;q=0, */*", TextType)]
    [InlineData(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OpenMetricsType)]
    public async Task Accept_selects_the_format(string? accept, string type)
    {
        using var meter = new Meter("Test.Of.Accept");
        await using var service = await StartAsync($"meters: [{meter.Name}]");
        meter.CreateCounter<int>("made", "{thing}", "Things.").Add(3);
        using var client = service.Operator(Secret);
        using var response = await SendAsync(client, HttpMethod.Get, accept);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        Assert.Equal(["Accept"], response.Headers.Vary);
        var name = type == TextType ? "made_total" : "made";
        Assert.EndsWith(
            $"# HELP {name} Things.\n# TYPE {name} counter\nmade_total{{otel_scope_name=\"Test.Of.Accept\"}} 3\n"
                + (type == TextType ? "" : "# EOF\n"),
            await response.Content.ReadAsStringAsync(),
            StringComparison.Ordinal);
        using var head = await SendAsync(client, HttpMethod.Head, accept);
        Assert.Equal(
            (HttpStatusCode.OK, type), (head.StatusCode, head.Content.Headers.ContentType?.ToString()));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        using var post = await SendAsync(client, HttpMethod.Post, accept);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], post.Content.Headers.Allow);
    }

    [Fact]
    public async Task By_default_the_meters_are_those_of_otlp_and_promtool_has_no_complaint()
    {
        await using var service = await StartAsync();
        var text = await UsedAsync(service);
        foreach (var sample in (string[])
            [
                "http_server_request_duration_seconds_count{otel_scope_name=\"Microsoft.AspNetCore.Hosting\"",
                "kestrel_active_connections{otel_scope_name=\"Microsoft.AspNetCore.Server.Kestrel\"",
                "dotnet_gc_pause_time_seconds_total{otel_scope_name=\"System.Runtime\"",
                "taskservice_exporter_meter_drops_total{otel_scope_name=\"TaskService.Telemetry\"",
                "target_info{service_name=\"TodoList\"} 1\n",
            ])
        {
            Assert.Contains($"\n{sample}", text, StringComparison.Ordinal);
        }
        Assert.Empty(await PrometheusServer.CheckAsync(text, "check", "metrics"));
    }

    [Fact]
    public async Task Prometheus_scrapes_it()
    {
        await using var service = await StartAsync();
        using var prometheus = PrometheusServer.Start($$"""
            global: { scrape_interval: 250ms, scrape_timeout: 250ms }
            scrape_configs:
              - job_name: taskservice
                metrics_path: /ops/metrics
                authorization: { type: Bearer, credentials: {{Secret}} }
                static_configs: [targets: ['127.0.0.1:{{service.Port}}']]
            """);
        Assert.Equal("1", await prometheus.QueryAsync("up == 1"));
        using var list = await service.SendAsync("GET", "/tasks");
        Assert.Equal("1", await prometheus.QueryAsync(
            """http_server_request_duration_seconds_count{http_route="/tasks",http_response_status_code="200"}"""));
        Assert.Equal("1", await prometheus.QueryAsync("""target_info{service_name="TodoList"}"""));
    }

    [Fact]
    public async Task Promtool_accepts_the_alerts_and_they_fire_when_they_should()
    {
        const string requests = "http_server_request_duration_seconds_count";
        using var directory = new TemporaryDirectory();
        var alerts = TestRoot.File("docs", "alerts.yml");
        var test = directory.File("test.yml");
        await File.WriteAllTextAsync(test, $$"""
            rule_files: ['{{alerts}}']
            evaluation_interval: 1m
            tests:
              - interval: 1m
                input_series:
                  - series: 'taskservice_log_drops_total{job="taskservice",instance="a",handler="file"}'
                    values: '_x15 7x30'
                  - series: 'taskservice_log_drops_total{job="taskservice",instance="b",handler="file"}'
                    values: '7x15 8x30'
                  - series: '{{requests}}{job="taskservice",instance="a",http_response_status_code="500"}'
                    values: '0+1x40'
                  - series: '{{requests}}{job="taskservice",instance="a",http_response_status_code="200"}'
                    values: '0+19x40'
                  - series: '{{requests}}{job="taskservice",instance="b",http_response_status_code="200"}'
                    values: '0+19x40'
                alert_rule_test:
                  - eval_time: 10m
                    alertname: TaskServiceLogDrops
                  - eval_time: 18m
                    alertname: TaskServiceLogDrops
                    exp_alerts:
                      - exp_labels: { severity: warning, job: taskservice, instance: a, handler: file }
                        exp_annotations: { summary: 'a drops lines of log handler file: is the disk full?' }
                      - exp_labels: { severity: warning, job: taskservice, instance: b, handler: file }
                        exp_annotations: { summary: 'b drops lines of log handler file: is the disk full?' }
                  - eval_time: 30m
                    alertname: TaskServiceLogDrops
                  - eval_time: 30m
                    alertname: TaskServiceErrors
                    exp_alerts:
                      - exp_labels: { severity: critical, job: taskservice, instance: a }
                        exp_annotations: { summary: '5% of the requests of a fail' }
            """);
        var found = await PrometheusServer.CheckAsync("", "check", "rules", alerts);
        Assert.Contains("SUCCESS", found, StringComparison.Ordinal);
        await PrometheusServer.CheckAsync("", "test", "rules", test);
    }

    [Fact]
    public async Task Alerts_name_only_metrics_that_the_service_has()
    {
        await using var service = await StartAsync();
        // Counters of the service that have not counted yet have no series.
        var known = InstrumentName().Matches(string.Concat(SourceTree.CSharp.Select(file => file.Text)))
            .Select(match => match.Groups[1].Value.Replace('.', '_') + "_total")
            .Concat(SampleName().Matches(await UsedAsync(service)).Select(match => match.Value))
            .ToHashSet();
        var alerts = await File.ReadAllTextAsync(TestRoot.File("docs", "alerts.yml"));
        var named = AlertName().Matches(alerts).Select(match => match.Value).ToHashSet();
        Assert.True(named.Count >= 6, string.Join(' ', named));
        Assert.Empty(named.Except(known));
    }

    private static Task<RunningService> StartAsync(string operations = "") =>
        RunningService.StartAsync(operations: $"stats-secret: {Secret}, {operations}");

    /// <summary>What it says after a request that it has measured.</summary>
    private static async Task<string> UsedAsync(RunningService service)
    {
        return await Until.ResultAsync(
            async () =>
            {
                // Connections are measured that begin after the first scrape.
                using var client = service.Operator(Secret);
                using var list = await service.SendAsync("GET", "/tasks");
                using var response = await SendAsync(client, HttpMethod.Get, null);
                var text = await response.Content.ReadAsStringAsync();
                return text.Contains("http_route=\"/tasks\"", StringComparison.Ordinal)
                    && text.Contains("kestrel_active_connections", StringComparison.Ordinal) ? text : null;
            },
            "a measured request");
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string? accept)
    {
        using var request = new HttpRequestMessage(method, new Uri("/ops/metrics", UriKind.Relative));
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }
        return await client.SendAsync(request);
    }

    [GeneratedRegex("\"(taskservice\\.[a-z_.]+)\"")]
    private static partial Regex InstrumentName();

    [GeneratedRegex("^[a-z][a-z_]*(?=\\{)", RegexOptions.Multiline)]
    private static partial Regex SampleName();

    [GeneratedRegex("\\b(taskservice|http|dotnet)_[a-z_]+(?=\\{)")]
    private static partial Regex AlertName();
}
