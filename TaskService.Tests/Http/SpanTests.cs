using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What a collector of traces gets of requests, and what the next service is told.</summary>
public sealed class SpanTests
{
    private const string Trace = "80f198ee56343ba864fe8b2a57d3eff7";
    private const string Span = "e457b5a2e4d86bd1";
    private const string Parent = "05e3ac9a4f6e3b90";
    private const string Ids = $"X-B3-TraceId: {Trace}; X-B3-SpanId: {Span}; X-B3-ParentSpanId: {Parent}";

    [Fact]
    public async Task A_request_without_a_trace_is_one_server_span_that_begins_one()
    {
        await using var app = await ObservedApp.StartAsync("trace-probability: 1");
        await app.GetAsync("/headers");
        var span = Assert.Single(await app.Spans.ReadAsync(1));
        Assert.Equal(("request", ActivityKind.Server), (span.Type, span.Kind));
        Assert.Matches("^[0-9a-f]{32}$", span.Trace.TraceId.ToHexString());
        Assert.Null(span.Trace.ParentId);
        Assert.InRange(span.Duration, TimeSpan.FromMicroseconds(1), TimeSpan.MaxValue);
    }

    [Theory]
    [InlineData($"{Ids}; X-B3-Sampled: 1", 0, "1")]
    [InlineData($"{Ids}; X-B3-Sampled: 0", 1, "0")]
    [InlineData(Ids, 1, "1")]
    [InlineData(Ids, 0, "0")]
    [InlineData($"{Ids}; X-B3-Flags: 1", 0, "d")]
    [InlineData($"b3: {Trace}-{Span}-1-{Parent}", 0, "1")]
    [InlineData($"b3: {Trace}-{Span}-0-{Parent}", 1, "0")]
    [InlineData($"b3: {Trace}-{Span}", 1, "1")]
    [InlineData($"b3: {Trace}-{Span}", 0, "0")]
    [InlineData($"b3: {Trace}-{Span}-d", 0, "d")]
    [InlineData($"traceparent: 00-{Trace}-{Span}-01", 0, "1")]
    [InlineData($"traceparent: 00-{Trace}-{Span}-00", 1, "0")]
    public async Task The_decision_of_the_caller_counts_else_the_coin_and_the_next_service_is_told_with_the_ids(
        string headers, int probability, string decision)
    {
        await using var app = await ObservedApp.StartAsync($"propagation: b3\n  trace-probability: {probability}");
        var told = await app.HeadersOfCallAsync(Parsed(headers));
        Assert.Equal(Trace, told["X-B3-TraceId"]);
        AssertTold(decision, told);
        // Of the request, its call, and the request that this call is.
        var spans = await SpansAsync(app, decision == "0" ? 0 : 3);
        Assert.All(spans, span => Assert.Equal(Trace, span.Trace.TraceId.ToHexString()));
        Assert.All(spans, span => Assert.Equal(decision == "d", span.Trace.Decision == TraceDecision.Debug));
        if (decision != "0")
        {
            var call = Assert.Single(spans, span => span.Kind == ActivityKind.Client);
            var request = Assert.Single(spans, span => span.Trace.SpanId == call.Trace.ParentId);
            Assert.Equal(Span, request.Trace.ParentId?.ToHexString());
            Assert.Equal(
                (told["X-B3-SpanId"], told["X-B3-ParentSpanId"]),
                (call.Trace.SpanId.ToHexString(), request.Trace.SpanId.ToHexString()));
        }
    }

    [Theory]
    [InlineData("b3: 0", 1, "0")]
    [InlineData("b3: 1", 0, "1")]
    [InlineData("b3: d", 0, "d")]
    [InlineData("X-B3-Sampled: 0", 1, "0")]
    [InlineData($"X-B3-TraceId: {Trace}; X-B3-SpanId: x; X-B3-Sampled: 1", 0, "0")]
    [InlineData($"X-B3-TraceId: 80f198; X-B3-SpanId: {Span}; X-B3-Sampled: 0", 1, "1")]
    [InlineData($"b3: {Trace}-{Span}-x", 1, "1")]
    public async Task Without_ids_or_with_malformed_ones_the_request_begins_a_trace_and_is_served(
        string headers, int probability, string decision)
    {
        await using var app = await ObservedApp.StartAsync($"propagation: b3\n  trace-probability: {probability}");
        var told = await app.HeadersOfCallAsync(Parsed(headers));
        Assert.Matches("^[0-9a-f]{32}$", told["X-B3-TraceId"]);
        Assert.NotEqual(Trace, told["X-B3-TraceId"]);
        AssertTold(decision, told);
        var spans = await SpansAsync(app, decision == "0" ? 0 : 3);
        Assert.Equal(decision == "0" ? 0 : 1, spans.Count(span => span.Trace.ParentId is null));
    }

    [Fact]
    public async Task A_query_and_two_calls_of_a_handler_are_a_local_and_two_client_spans_within_that_of_the_request()
    {
        var told = new List<JsonElement>();
        await using var other = await ObservedApp.StartAsync();
        const string settings = "propagation: b3\n  trace-probability: 1";
        await using var app = await ObservedApp.StartAsync(settings, addRoutes: routes =>
            routes.MapGet("/", async (HttpContext http, CancellationToken cancel) =>
            {
                using (var query = Operation.Start(".query-db"))
                {
                    query.Set("rowcount", 3);
                }
                using var client = ObservedApp.ClientOf(http);
                told.Add(JsonElement.Parse(await client.GetStringAsync(new Uri(other.Address, "/headers"), cancel)));
                told.Add(JsonElement.Parse(await client.GetStringAsync(new Uri(other.Address, "/headers"), cancel)));
            }));
        await app.GetAsync("/");
        var spans = await app.Spans.ReadAsync(4);
        Assert.Equal(
            [
                ("request.query-db", ActivityKind.Internal), ("request.httpclient", ActivityKind.Client),
                ("request.httpclient", ActivityKind.Client), ("request", ActivityKind.Server),
            ],
            spans.Select(span => (span.Type, span.Kind)));
        var request = spans[3];
        Assert.Equal(3, Assert.Single(spans[0].Fields, field => field.Key == "rowcount").Value.Integer);
        Assert.All(spans[..3], span =>
        {
            Assert.Equal(request.Trace.SpanId, span.Trace.ParentId);
            Assert.Equal(request.Trace.TraceId, span.Trace.TraceId);
            Assert.InRange(span.Start, request.Start, span.End);
            Assert.InRange(span.End, span.Start, request.End);
        });
        Assert.Equal(
            spans[1..3].Select(span => (span.Trace.SpanId.ToHexString(), request.Trace.SpanId.ToHexString())),
            told.Select(headers => (
                headers.GetProperty("X-B3-SpanId").GetString()!,
                headers.GetProperty("X-B3-ParentSpanId").GetString()!)));
    }

    [Fact]
    public async Task An_exception_within_an_operation_ends_its_span_with_the_error_and_the_request_is_500()
    {
        await using var app = await ObservedApp.StartAsync("trace-probability: 1", addRoutes: routes =>
            routes.MapGet("/fails", () => Operation.RunAsync<int>(
                ".query-db", _ => throw new InvalidDataException("broken")).AsTask()));
        using var answer = await app.SendAsync("/fails");
        Assert.Equal(StatusCodes.Status500InternalServerError, (int)answer.StatusCode);
        var spans = await app.Spans.ReadAsync(2);
        Assert.Equal(["request.query-db", "request"], spans.Select(span => span.Type));
        Assert.All(spans, span => Assert.Equal("InvalidDataException: broken", span.Error));
    }

    private static (string, string)[] Parsed(string headers) =>
        [.. headers.Split("; ").Select(header => header.Split(": ")).Select(parts => (parts[0], parts[1]))];

    private static void AssertTold(string decision, Dictionary<string, string> told)
    {
        Assert.Equal(decision == "d" ? null : decision, told.GetValueOrDefault("X-B3-Sampled"));
        Assert.Equal(decision == "d" ? "1" : null, told.GetValueOrDefault("X-B3-Flags"));
    }

    /// <summary>All that came, also when that is none: one that is known to come follows it.</summary>
    private static async Task<List<OperationRecord>> SpansAsync(ObservedApp app, int count)
    {
        const string last = "00000000000000000000000000000001";
        // A request ends after its answer has arrived.
        await app.EventsAsync(3);
        await app.GetAsync("/headers", ("b3", $"{last}-0000000000000002-d"));
        var all = await app.Spans.ReadAsync(count + 1);
        return [.. all.Where(span => span.Trace.TraceId.ToHexString() != last)];
    }
}
