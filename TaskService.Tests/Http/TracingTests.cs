using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TaskService.Http;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>One request through several services, as their events and logs tell it.</summary>
public sealed class TracingTests
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Span = "00f067aa0ba902b7";
    private const string Other = "0af7651916cd43dd8448eb211c80319c";

    [Fact]
    public async Task Two_services_one_trace_right_parents_one_request_id()
    {
        await using var first = await ObservedApp.StartAsync();
        await using var second = await ObservedApp.StartAsync();
        var (status, _) = await first.GetAsync($"/calls?{second.Address}headers");
        Assert.Equal(HttpStatusCode.OK, status);

        var ofFirst = await first.EventsAsync(2);
        var (call, request) = (ofFirst[0], ofFirst[1]);
        var called = Assert.Single(await second.EventsAsync(1));
        Assert.Equal(("request.httpclient", "request"), (Text(call, "type"), Text(request, "type")));
        Assert.Equal(Text(request, "trace_id"), Text(call, "trace_id"));
        Assert.Equal(Text(request, "trace_id"), Text(called, "trace_id"));
        Assert.False(request.TryGetProperty("parent_id", out _));
        Assert.Equal(Text(request, "span_id"), Text(call, "parent_id"));
        Assert.Equal(Text(call, "span_id"), Text(called, "parent_id"));
        Assert.Equal(Text(request, "id"), Text(call, "id"));
        Assert.Equal(Text(request, "id"), Text(called, "id"));

        var lines = new[] { (await first.LinesAsync(2))[1], (await second.LinesAsync(2))[1] };
        Assert.All(lines, line => Assert.Equal("RESPONSE", line["message"]));
        Assert.All(lines, line => Assert.Equal(Text(request, "trace_id"), line["trace_id"]));
        Assert.All(lines, line => Assert.Equal(Text(request, "id"), line["req_id"]));
        // A child is within its parent.
        Assert.InRange(Number(call, "start"), Number(request, "start"), Number(call, "end"));
        Assert.InRange(Number(call, "end"), Number(call, "start"), Number(request, "end"));
    }

    [Fact]
    public async Task A_request_is_an_event_with_what_its_line_says_and_the_size_of_its_body()
    {
        await using var app = await ObservedApp.StartAsync();
        var (_, body) = await app.GetAsync("/headers?a=b", ("User-Agent", "test/1.0"), ("X-Request-ID", "given"));
        var one = Assert.Single(await app.EventsAsync(1));
        Assert.Equal(("request", "given"), (Text(one, "type"), Text(one, "id")));
        Assert.Equal(
            """{"method":"GET","uri":"/headers?a=b","ip":"127.0.0.1","status":200,"route":"/headers","bytes":"""
            + $"{Encoding.UTF8.GetByteCount(body)},\"user_agent\":\"test/1.0\"}}",
            one.GetProperty("body").GetRawText());
        var line = (await app.LinesAsync(2))[1];
        var (start, end) = (Number(one, "start"), Number(one, "end"));
        var milliseconds = decimal.Parse(line["time_ms"]!, CultureInfo.InvariantCulture);
        Assert.InRange((end - start) * 1000, milliseconds, milliseconds + 0.001m);
    }

    [Fact]
    public async Task A_request_that_fails_is_an_event_with_its_exception_and_500()
    {
        await using var app = await ObservedApp.StartAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, (await app.GetAsync("/throws")).Status);
        var body = Assert.Single(await app.EventsAsync(1)).GetProperty("body");
        Assert.Equal(500, body.GetProperty("status").GetInt32());
        Assert.StartsWith(
            "System.IO.InvalidDataException: broken", Text(body, "exception"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_that_is_logged_is_an_event_with_name_level_text_and_exception_when_asked_for()
    {
        await using var app = await ObservedApp.StartAsync("log-events: true");
        await app.GetAsync("/logs");
        var events = await app.EventsAsync(3);
        Assert.Equal(["request.log", "request.log", "request"], events.Select(one => Text(one, "type")));
        Assert.All(events, one => Assert.Equal(Text(events[2], "id"), Text(one, "id")));
        Assert.Equal(
            """{"name":"Test.Logs","level":"warning","msg":"three of 5"}""",
            events[0].GetProperty("body").GetRawText());
        Assert.StartsWith(
            "System.IO.InvalidDataException: broken",
            Text(events[1].GetProperty("body"), "exception"),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_no_route_has_shares_one_name()
    {
        await using var app = await ObservedApp.StartAsync();
        await app.GetAsync("/nothing/here");
        var one = Assert.Single(await app.EventsAsync(1));
        Assert.Equal("_not_found", Text(one.GetProperty("body"), "route"));
    }

    [Fact]
    public async Task A_call_says_whom_it_asked_and_how_it_went_and_keeps_secrets()
    {
        await using var app = await ObservedApp.StartAsync();
        await app.GetAsync($"/calls?http://user:secret@{app.Address.Authority}/headers?key=secret");
        var call = (await app.EventsAsync(3)).Single(one => Text(one, "type") == "request.httpclient");
        var (request, response) = (call.GetProperty("body").GetProperty("request"),
            call.GetProperty("body").GetProperty("response"));
        Assert.Equal(("GET", $"{app.Address}headers"), (Text(request, "method"), Text(request, "uri")));
        Assert.Equal(0, request.GetProperty("size").GetInt32());
        Assert.Equal(200, response.GetProperty("code").GetInt32());
        Assert.DoesNotContain("secret", call.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_that_is_not_answered_is_an_event_of_the_request_with_599()
    {
        await using var app = await ObservedApp.StartAsync();
        Assert.Equal(HttpStatusCode.BadGateway, (await app.GetAsync("/calls?http://127.0.0.1:1/")).Status);
        var events = await app.EventsAsync(2);
        var call = events[0];
        Assert.Equal(["request.httpclient", "request"], events.Select(one => Text(one, "type")));
        Assert.Equal(Text(events[1], "id"), Text(call, "id"));
        Assert.Equal(599, call.GetProperty("body").GetProperty("response").GetProperty("code").GetInt32());
        Assert.Contains("refused", Text(call.GetProperty("body"), "exception"), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("w3c", "01")]
    [InlineData("w3c", "00")]
    [InlineData("b3", "01")]
    [InlineData("b3-single", "00")]
    public async Task The_decision_of_the_caller_goes_on_whatever_the_probability(string format, string flags)
    {
        var probability = flags == "01" ? 0 : 1;
        await using var app = await ObservedApp.StartAsync(
            $"propagation: {format}\n  trace-probability: {probability}");
        var headers = await app.HeadersOfCallAsync(
            ("traceparent", $"00-{Trace}-{Span}-{flags}"), ("tracestate", "a=1"), ("baggage", "user=7"));
        var call = (await app.EventsAsync(3)).Single(one => Text(one, "type") == "request.httpclient");
        var (span, parent) = (Text(call, "span_id"), Text(call, "parent_id"));
        switch (format)
        {
            case "w3c":
                Assert.Equal(($"00-{Trace}-{span}-{flags}", "a=1"), (headers["traceparent"], headers["tracestate"]));
                break;
            case "b3":
                Assert.Equal((Trace, span), (headers["X-B3-TraceId"], headers["X-B3-SpanId"]));
                Assert.Equal((parent, flags[1..]), (headers["X-B3-ParentSpanId"], headers["X-B3-Sampled"]));
                break;
            default:
                Assert.Equal($"{Trace}-{span}-{flags[1..]}-{parent}", headers["b3"]);
                break;
        }
        Assert.Equal("user=7", headers["baggage"]);
    }

    [Fact]
    public async Task The_request_id_and_the_trace_keep_their_own_values_in_the_answer_the_line_and_the_call()
    {
        await using var app = await ObservedApp.StartAsync("propagation: b3");
        using var answer = await app.SendAsync(
            $"/calls?{app.Address}headers",
            ("X-Request-ID", "mine"), ("Request-ID", "other"), ("b3", $"{Trace}-{Span}-1"));
        Assert.Equal("mine", Assert.Single(answer.Headers.GetValues("X-Request-ID")));
        var sent = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal(("mine", Trace), (Text(sent, "X-Request-ID"), Text(sent, "X-B3-TraceId")));
        Assert.All(
            (await app.LinesAsync(4)).Where(line => line["message"] == "RESPONSE"),
            line => Assert.Equal(("mine", Trace), (line["req_id"], line["trace_id"])));
    }

    [Fact]
    public async Task An_activity_of_someone_else_changes_no_header_and_no_id()
    {
        using var source = new ActivitySource("Someone.Else");
        using var listener = new ActivityListener
        {
            ShouldListenTo = other => other.Name == source.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        await using var app = await ObservedApp.StartAsync("propagation: b3");
        app.Source = source;
        var headers = await app.HeadersOfCallAsync();
        Assert.DoesNotContain("traceparent", headers.Keys, StringComparer.OrdinalIgnoreCase);
        Assert.Matches("^[0-9a-f]{32}$", headers["X-B3-TraceId"]);
    }

    [Fact]
    public async Task Code_sets_fields_of_its_request_but_none_that_the_line_has_itself()
    {
        using var hits = new LimitHits();
        await using var app = await ObservedApp.StartAsync("statistics: true", addRoutes: routes =>
            routes.MapGet("/sets", () =>
            {
                Operation.Current?.Set("status", 7);
                Operation.Current?.Set("status.text", "seven");
                Operation.Current?.Add("bytes", 7);
                Operation.Current?.Append("route", "seven");
                Operation.Current?.Time("time_ms").Dispose();
                Operation.Current?.Set("reason", "none");
                Operation.Current?.Set("statuses", 7);
                return Task.CompletedTask;
            }));
        await app.GetAsync("/sets");
        var body = Assert.Single(await app.EventsAsync(1)).GetProperty("body").GetRawText();
        Assert.EndsWith(
            """
            "status":200,"route":"/sets","bytes":0,"user_agent":null,"statuses":7}
            """,
            body,
            StringComparison.Ordinal);
        var line = (await app.Logs.LinesAsync("logfmt", 2))[1];
        Assert.DoesNotContain("seven", line, StringComparison.Ordinal);
        Assert.DoesNotContain("reason", line, StringComparison.Ordinal);
        Assert.EndsWith(" statuses=7", line, StringComparison.Ordinal);
        Assert.Equal(2, line.Split("status=").Length);
        Assert.Equal("route.GET./sets.200", string.Join('.', Assert.Single(app.Statistics!.Snapshot()).Name.Flat));
        Assert.Equal(6, hits["taskservice.operation.ignored reserved"]);
    }

    [Fact]
    public async Task Every_name_that_the_line_has_itself_is_kept_from_code()
    {
        await using var app = await ObservedApp.StartAsync();
        foreach (var path in new[] { "/headers", "/nothing/here", "/throws" })
        {
            await app.GetAsync(path);
        }
        var names = (await app.LinesAsync(6)).Where(line => line["message"] == "RESPONSE").SelectMany(line => line.Keys)
            .Except(["time", "logger", "level"]).ToList();
        Assert.Contains("trace", names);
        Assert.Contains("reason", names);
        Assert.Empty(names.Except(RequestLog.Names));
    }

    [Fact]
    public async Task A_call_tells_the_sizes_of_both_bodies_where_they_are_known()
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapPost("/target", async (HttpContext http, CancellationToken cancel) =>
            {
                await http.Request.Body.CopyToAsync(Stream.Null, cancel);
                http.Response.ContentLength = http.Request.ContentLength is null ? null : 5;
                await http.Response.WriteAsync("12345", cancel);
            });
            routes.MapGet("/posts", async (HttpContext http, CancellationToken cancel) =>
            {
                using var client = ObservedApp.ClientOf(http);
                var target = new Uri($"http://{http.Request.Host}/target");
                using var known = await client.PostAsync(target, new StringContent("123"), cancel);
                using var chunked = await client.PostAsync(target, new StreamContent(http.Request.Body), cancel);
            });
        });
        await app.GetAsync("/posts");
        var calls = (await app.EventsAsync(5)).Where(one => Text(one, "type") == "request.httpclient");
        Assert.Equal(
            [("3", "5"), ("null", "null")],
            calls.Select(one => one.GetProperty("body")).Select(body => (
                body.GetProperty("request").GetProperty("size").GetRawText(),
                body.GetProperty("response").GetProperty("size").GetRawText())));
    }

    [Fact]
    public async Task A_call_that_waits_is_observed_as_well()
    {
        await using var app = await ObservedApp.StartAsync();
        await app.GetAsync($"/calls-and-waits?{app.Address}headers");
        var call = (await app.EventsAsync(3)).Single(one => Text(one, "type") == "request.httpclient");
        Assert.Equal(200, call.GetProperty("body").GetProperty("response").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task Debug_goes_on_as_debug()
    {
        await using var app = await ObservedApp.StartAsync("propagation: b3");
        var headers = await app.HeadersOfCallAsync(
            ("X-B3-TraceId", Trace), ("X-B3-SpanId", Span), ("X-B3-Flags", "1"));
        Assert.Equal((Trace, "1"), (headers["X-B3-TraceId"], headers["X-B3-Flags"]));
        Assert.DoesNotContain("X-B3-Sampled", headers.Keys, StringComparer.OrdinalIgnoreCase);
        Assert.DoesNotContain("traceparent", headers.Keys, StringComparer.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01")]
    [InlineData("traceparent", "hello")]
    [InlineData("b3", "zz-00f067aa0ba902b7-1")]
    [InlineData("b3", "\u0001")]
    [InlineData("X-B3-TraceId", "1")]
    public async Task A_malformed_trace_is_a_new_one(string header, string value)
    {
        await using var app = await ObservedApp.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await app.GetAsync("/headers", (header, value))).Status);
        var one = Assert.Single(await app.EventsAsync(1));
        Assert.Matches("^[0-9a-f]{32}$", Text(one, "trace_id"));
        Assert.False(one.TryGetProperty("parent_id", out _));
    }

    // W3C, by its test suite, takes a traceparent that comes twice for none. Of B3, the first value counts.
    [Theory]
    [InlineData($"traceparent: 00-{Trace}-{Span}-01\r\ntraceparent: 00-{Other}-{Span}-01", null)]
    [InlineData($"traceparent: 00-{Trace}-{Span}-01\r\ntracestate: a=1\r\ntracestate: b=2", "a=1,b=2")]
    [InlineData($"b3: {Trace}-{Span}-1\r\nb3: {Other}-{Span}-1", "")]
    [InlineData($"X-B3-SpanId: {Span}\r\nX-B3-TraceId: {Trace}\r\nX-B3-TraceId: {Other}", "")]
    public async Task Of_trace_headers_that_come_twice(string headers, string? state)
    {
        await using var app = await ObservedApp.StartAsync();
        using var connection = new TcpClient();
        await connection.ConnectAsync(app.Address.Host, app.Address.Port);
        // HTTP/1.0, so that the answer is as it is written. No client library sends a header in two lines.
        await connection.Client.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /calls?{app.Address}headers HTTP/1.0\r\nbaggage: a=1\r\nbaggage: b=2\r\n{headers}\r\n\r\n"));
        using var reader = new StreamReader(connection.GetStream());
        var answer = (await reader.ReadToEndAsync()).Split("\r\n\r\n", 2);
        Assert.StartsWith("HTTP/1.1 200 ", answer[0], StringComparison.Ordinal);
        var sent = JsonElement.Parse(answer[1]);
        var isSame = Text(sent, "traceparent").StartsWith($"00-{Trace}-", StringComparison.Ordinal);
        Assert.Equal(state is not null, isSame);
        Assert.DoesNotContain(Other, answer[1], StringComparison.Ordinal);
        Assert.Equal(state ?? "", sent.TryGetProperty("tracestate", out var told) ? told.GetString() : "");
        Assert.Equal("a=1,b=2", Text(sent, "baggage"));
    }

    [Theory]
    [InlineData("00")]
    [InlineData("01")]
    public async Task Where_nobody_reads_anything_the_trace_goes_on_all_the_same(string flags)
    {
        await using var app = await ObservedApp.StartAsync();
        using var client = new HttpClient(new OperationHandler
        {
            InnerHandler = new SocketsHttpHandler(),
        });
        var caller = TracePropagation.Read(
            new Dictionary<string, string>
            {
                ["traceparent"] = $"00-{Trace}-{Span}-{flags}",
                ["tracestate"] = "a=1",
                ["baggage"] = "user=7",
            },
            static (headers, name) => headers.GetValueOrDefault(name));
        OperationSource.Off.StartRequest("ours", caller);
        var sent = JsonElement.Parse(await client.GetStringAsync(new Uri(app.Address, "/headers")));
        Assert.Matches($"^00-{Trace}-(?!{Span})[0-9a-f]{{16}}-{flags}$", Text(sent, "traceparent"));
        Assert.Equal(
            ("a=1", "user=7", "ours"),
            (Text(sent, "tracestate"), Text(sent, "baggage"), Text(sent, "X-Request-ID")));
    }

    [Fact]
    public async Task A_header_that_code_sets_itself_stays()
    {
        await using var app = await ObservedApp.StartAsync();
        using var client = new HttpClient(new OperationHandler
        {
            InnerHandler = new SocketsHttpHandler(),
        });
        OperationSource.Off.StartRequest("ours", null);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(app.Address, "/headers"));
        request.Headers.Add("X-Request-ID", "theirs");
        using var answer = await client.SendAsync(request);
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal("theirs", Text(body.RootElement, "X-Request-ID"));
        Assert.NotEmpty(Text(body.RootElement, "traceparent"));
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static decimal Number(JsonElement element, string name) => element.GetProperty(name).GetDecimal();
}
