using System.Diagnostics;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>OTLP from the running service to a real receiver, which reads it by the published definitions.</summary>
public sealed class OtlpTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Parent = "00f067aa0ba902b7";
    private const string Soon = "batch-delay-max-ms: 1";
    private const string Silent = "\nlogging: { handlers: { console: { type: console, level: none } } }";

    private static readonly (string, string) Sampled = ("traceparent", $"00-{Trace}-{Parent}-01");

    [Fact]
    public async Task A_request_and_its_call_of_the_store_are_spans_of_the_trace_of_the_caller()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await StartAsync(receiver);
        var path = await service.CreateAsync(Some.TaskJson);
        var before = DateTime.UtcNow;
        using var answer = await service.SendAsync(
            "GET",
            $"{path}?a=b",
            null,
            Sampled,
            ("tracestate", "v=1"),
            ("User-Agent", "test/1.0"),
            ("X-Request-ID", "r1"));
        var spans = await receiver.SpansAsync(2);
        // The client may have the answer before the operation has ended, but not its span.
        var after = DateTime.UtcNow;
        var (call, request) = (spans[0], spans[1]);

        Assert.Equal((Trace, Trace), (request.TraceId, call.TraceId));
        Assert.Equal((Parent, request.SpanId), (request.ParentId, call.ParentId));
        Assert.Equal(("v=1", "v=1"), (request.TraceState, call.TraceState));
        Assert.Equal(("GET /tasks/{id}", "request.store.find"), (request.Name, call.Name));
        // SPAN_KIND_SERVER and SPAN_KIND_INTERNAL; nothing says a status.
        Assert.Equal((2, 1), (request.Kind, call.Kind));
        Assert.Equal((0, 0), (request.StatusCode, call.StatusCode));
        Assert.InRange(request.Start, before, call.Start);
        Assert.InRange(call.End, call.Start, request.End);
        Assert.InRange(request.End, request.Start, after.AddMilliseconds(1));
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["req_id"] = "r1",
                ["http.request.method"] = "GET",
                ["url.path"] = path,
                ["url.query"] = "a=b",
                ["url.scheme"] = "http",
                ["client.address"] = "127.0.0.1",
                ["http.response.status_code"] = 200L,
                ["http.route"] = "/tasks/{id}",
                ["http.response.body.size"] = (long)(await answer.Content.ReadAsByteArrayAsync()).Length,
                ["user_agent.original"] = "test/1.0",
            },
            request.Attributes);
        Assert.Equal(1L, call.Attributes["row_count"]);
        Assert.Equal("shop", request.Resource["service.name"]);
        Assert.Equal("TaskService.Telemetry", request.Scope);
    }

    [Fact]
    public async Task A_trace_that_begins_here_has_no_parent_and_one_that_is_not_recorded_no_spans()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await StartAsync(receiver, "trace-probability: 1");
        using var not = await service.SendAsync("GET", "/tasks/none", null, ("traceparent", $"00-{Trace}-{Parent}-00"));
        using var begun = await service.SendAsync("GET", "/tasks/none");
        var spans = await receiver.SpansAsync(2);
        Assert.NotEqual(Trace, spans[1].TraceId);
        Assert.Equal("", spans[1].ParentId);
        Assert.Equal(spans[1].SpanId, spans[0].ParentId);
    }

    [Theory]
    [InlineData("GET", "/nowhere", "GET", "GET", null)]
    [InlineData("SHOUT", "/tasks", "HTTP /tasks", "_OTHER", "SHOUT")]
    public async Task Names_of_spans_have_low_cardinality(
        string method, string path, string name, string known, string? original)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await StartAsync(receiver, "trace-probability: 1");
        using var answer = await service.SendAsync(method, path);
        var span = Assert.Single(await receiver.SpansAsync(1));
        Assert.Equal(name, span.Name);
        Assert.Equal(known, span.Attributes["http.request.method"]);
        Assert.Equal(original, span.Attributes.GetValueOrDefault("http.request.method_original"));
        Assert.Equal(name == "GET", !span.Attributes.ContainsKey("http.route"));
        // A server has not failed when the client was wrong.
        Assert.Equal(0, span.StatusCode);
    }

    [Fact]
    public async Task A_request_that_fails_is_an_error_with_its_exception()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var app = await StartAppAsync(receiver);
        await app.GetAsync("/throws");
        var span = Assert.Single(await receiver.SpansAsync(1));
        Assert.Equal(2, span.StatusCode);
        Assert.Equal("System.IO.InvalidDataException", span.Attributes["error.type"]);
        Assert.False(span.Attributes.ContainsKey("exception"));
        var thrown = Assert.Single(span.Events);
        Assert.Equal("System.IO.InvalidDataException", thrown["exception.type"]);
        Assert.Equal("broken", thrown["exception.message"]);
        var stack = Assert.IsType<string>(thrown["exception.stacktrace"]);
        Assert.StartsWith("System.IO.InvalidDataException: broken", stack, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_of_a_client_is_the_parent_span_of_the_called_service()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var first = await StartAppAsync(receiver);
        await using var second = await StartAppAsync(receiver);
        await first.GetAsync($"/calls?{second.Address}headers?secret=1");
        var spans = await receiver.SpansAsync(3);
        var call = spans.Single(span => span.Kind == 3);
        var (caller, called) = (
            spans.Single(span => span.Name == "GET /calls"), spans.Single(span => span.Name == "GET /headers"));
        Assert.Single(spans.Select(span => span.TraceId).Distinct());
        Assert.Equal((caller.SpanId, call.SpanId), (call.ParentId, called.ParentId));
        Assert.Equal("GET", call.Name);
        Assert.Equal($"{second.Address}headers", call.Attributes["url.full"]);
        Assert.Equal("127.0.0.1", call.Attributes["server.address"]);
        Assert.Equal((long)second.Address.Port, call.Attributes["server.port"]);
        Assert.Equal(200L, call.Attributes["http.response.status_code"]);
    }

    [Fact]
    public async Task A_call_without_a_response_is_an_error_without_a_status()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var app = await StartAppAsync(receiver);
        await app.GetAsync("/calls?http://127.0.0.1:1/");
        var call = (await receiver.SpansAsync(2))[0];
        Assert.Equal((3, 2), (call.Kind, call.StatusCode));
        Assert.False(call.Attributes.ContainsKey("http.response.status_code"));
        Assert.Equal("System.Net.Http.HttpRequestException", call.Attributes["error.type"]);
    }

    [Fact]
    public async Task Activities_of_others_join_the_trace_of_the_request()
    {
        using var source = new ActivitySource("Test.Otlp.Joins");
        var stopped = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = one => one == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = stopped.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var app = await StartAppAsync(receiver);
        app.Source = source;
        await app.GetAsync($"/calls?{app.Address}headers");
        var request = (await receiver.SpansAsync(3)).Single(span => span.Name == "GET /calls");
        var joined = Assert.Single(stopped);
        Assert.Equal(request.TraceId, joined.TraceId.ToHexString());
        Assert.Equal(request.SpanId, joined.ParentSpanId.ToHexString());
    }

    [Theory]
    [InlineData(429)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_batch_with_a_retryable_status_arrives_once_later(int status)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.Answers.Enqueue(status);
        receiver.Answers.Enqueue(status);
        await using var service = await StartAsync(receiver);
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await receiver.SpansAsync(2);
        Assert.Empty(receiver.Answers);
    }

    [Theory]
    [InlineData(307)]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(408)]
    [InlineData(413)]
    [InlineData(500)]
    public async Task A_refused_batch_is_dropped_and_counted_and_later_ones_arrive(int status)
    {
        using var hits = new LimitHits();
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.Answers.Enqueue(status);
        // The two operations of the request are one batch, however long they are apart.
        await using var service = await StartAsync(
            receiver, exporter: $"refused{status}", gather: "batch-delay-max-ms: 60000, batch-records-max: 2");
        using var lost = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await Until.TrueAsync(() => hits[$"taskservice.exporter.drops refused{status}"] == 2, "drops");
        using var kept = await service.SendAsync("GET", "/tasks/none", null, Sampled, ("X-Request-ID", "kept"));
        Assert.All(await receiver.SpansAsync(2), span => Assert.Equal("kept", span.Attributes["req_id"]));
    }

    [Fact]
    public async Task Spans_and_metrics_go_by_grpc_as_well()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.Answers.Enqueue(503);
        using var directory = new TemporaryDirectory();
        using var service = StartProcess(
            directory,
            $"otlp: {{ type: otlp, protocol: grpc, endpoint: '{receiver.GrpcEndpoint}', meters-interval-ms: 50 }}");
        using var http = await service.ClientAsync();
        http.DefaultRequestHeaders.Add(Sampled.Item1, Sampled.Item2);
        using var answer = await http.GetAsync(new Uri("/tasks/none", UriKind.Relative));
        Assert.Equal("GET /tasks/{id}", (await receiver.SpansAsync(2))[1].Name);
        await receiver.PointAsync("kestrel.active_connections", point => point.Value == 1);
    }

    [Fact]
    public async Task Requests_are_measured_by_route_and_sums_survive_a_receiver_that_fails()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        using var directory = new TemporaryDirectory();
        using var service = StartProcess(directory, Exporter(receiver, "meters-interval-ms: 20"));
        using var http = await service.ClientAsync();
        for (var i = 0; i < 3; i++)
        {
            using var answer = await http.GetAsync(new Uri("/tasks/none", UriKind.Relative));
            receiver.Answers.Enqueue(503);
        }
        using var lost = await http.GetAsync(new Uri("/nowhere", UriKind.Relative));
        var point = await receiver.PointAsync(
            "http.server.request.duration",
            point => point.Attributes.GetValueOrDefault("http.route") is "/tasks/{id}" && point.Value == 3);
        Assert.Equal(("s", 2), (point.Unit, point.Temporality));
        Assert.Equal("GET", point.Attributes["http.request.method"]);
        Assert.Equal(404L, point.Attributes["http.response.status_code"]);
        Assert.True(point.Sum > 0);
        await receiver.PointAsync(
            "http.server.request.duration",
            point => !point.Attributes.ContainsKey("http.route") && point.Value == 1);
    }

    // Meters are those of a whole process, and the SDK gives up what all of one name have measured when one of them is
    // disposed of, as those of a service that another test stops.
    private static ServiceProcess StartProcess(TemporaryDirectory directory, string exporter)
    {
        File.WriteAllText(
            directory.File("c.yaml"), $"task-db: {{ memory: }}\ntelemetry: {{ exporters: {{ {exporter} }} }}\n");
        return ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
    }

    private static Task<RunningService> StartAsync(
        OtlpReceiver receiver,
        string telemetry = "trace-probability: 0",
        string settings = "",
        string exporter = "otlp",
        string gather = Soon) =>
        RunningService.StartAsync(
            service: "name: shop",
            logging: $"telemetry: {{ {telemetry}, "
                + $"exporters: {{ {Exporter(receiver, settings, exporter, gather)} }} }}{Silent}");

    private static Task<ObservedApp> StartAppAsync(OtlpReceiver receiver) =>
        ObservedApp.StartAsync("trace-probability: 1", $", {Exporter(receiver)}");

    private static string Exporter(
        OtlpReceiver receiver, string settings = "", string exporter = "otlp", string gather = Soon) =>
        $"{exporter}: {{ type: otlp, endpoint: '{receiver.HttpEndpoint}', {gather}, {settings} }}";
}
