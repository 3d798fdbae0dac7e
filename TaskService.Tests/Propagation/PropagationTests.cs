using System.Diagnostics;
using TaskService.Telemetry.Propagation;

namespace TaskService.Tests.Propagation;

public sealed class PropagationTests
{
    private const string Trace = "80f198ee56343ba864fe8b2a57d3eff7";
    private const string Span = "e457b5a2e4d86bd1";
    private const string Parent = "05e3ac9a4f6e3b90";
    private const string Other = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string Zeros = "00000000000000000000000000000000";

    public static MatrixTheoryData<PropagationFormat, TraceDecision, bool> Choices { get; } =
        new(Enum.GetValues<PropagationFormat>(), Enum.GetValues<TraceDecision>(), [true, false]);

    [Theory]
    [InlineData($"00-{Trace}-{Span}-01", TraceDecision.Sampled)]
    [InlineData($"00-{Trace}-{Span}-00", TraceDecision.Dropped)]
    [InlineData($"00-{Trace}-{Span}-02", TraceDecision.Dropped)]
    [InlineData($"00-{Trace}-{Span}-03", TraceDecision.Sampled)]
    [InlineData($"00-{Trace}-{Span}-fe", TraceDecision.Dropped)]
    [InlineData($"00-{Trace}-{Span}-ff", TraceDecision.Sampled)]
    [InlineData($"01-{Trace}-{Span}-01", TraceDecision.Sampled)]
    [InlineData($"cc-{Trace}-{Span}-01-", TraceDecision.Sampled)]
    [InlineData($"fe-{Trace}-{Span}-00-what the future HOLDS", TraceDecision.Dropped)]
    public void A_traceparent_names_the_span_of_the_caller(string header, TraceDecision decision) =>
        Assert.Equal(Remote(Trace, Span, null, decision), Read(("traceparent", header)));

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("not a traceparent, but one that is long enough to be it")]
    [InlineData($"00-{Trace}-{Span}")]
    [InlineData($"00-{Trace}-{Span}-")]
    [InlineData($"00-{Trace}-{Span}-1")]
    [InlineData($"00-{Trace}-{Span}-0x")]
    [InlineData($"00-{Trace}-{Span}-0A")]
    [InlineData($"00-{Trace}-{Span}--1")]
    [InlineData($"00-{Trace}-{Span}-+1")]
    [InlineData($"00-{Trace}-{Span}-01-")]
    [InlineData($"00-{Trace}-{Span}-01-more")]
    [InlineData($"00-{Trace}-{Span}-01,00-{Trace}-{Span}-01")]
    [InlineData($"01-{Trace}-{Span}-01.more")]
    [InlineData($"01-{Trace}-{Span}-011")]
    [InlineData($"ff-{Trace}-{Span}-01")]
    [InlineData($"FE-{Trace}-{Span}-01")]
    [InlineData($"0-0{Trace}-{Span}-01")]
    [InlineData($"0--{Trace}-{Span}-01")]
    [InlineData($"0g-{Trace}-{Span}-01")]
    [InlineData($"00_{Trace}-{Span}-01")]
    [InlineData($"00-{Trace}0{Span}-01")]
    [InlineData($"00-{Trace}-{Span}001")]
    [InlineData($"00-{Zeros}-{Span}-01")]
    [InlineData($"00-{Trace}-0000000000000000-01")]
    [InlineData($"00-{Span}-{Trace}-01")]
    [InlineData($"00-80F198EE56343BA864FE8B2A57D3EFF7-{Span}-01")]
    [InlineData($"00-{Trace}-E457B5A2E4D86BD1-01")]
    [InlineData($"00-80f198ee56343ba864fe8b2a57d3eff-7{Span}-01")]
    [InlineData($"00-80f198ee56343ba864fe8b2a57d3efé7-{Span}-01")]
    [InlineData($" 00-{Trace}-{Span}-01")]
    public void A_malformed_traceparent_is_ignored(string header) =>
        Assert.Null(Read(("traceparent", header), ("tracestate", "a=1")));

    [Theory]
    [InlineData($"{Trace}-{Span}-1-{Parent}", Trace, Span, Parent, TraceDecision.Sampled)]
    [InlineData($"{Trace}-{Span}-0-{Parent}", Trace, Span, Parent, TraceDecision.Dropped)]
    [InlineData($"{Trace}-{Span}-d-{Parent}", Trace, Span, Parent, TraceDecision.Debug)]
    [InlineData($"{Trace}-{Span}-1", Trace, Span, null, TraceDecision.Sampled)]
    [InlineData($"{Trace}-{Span}-0", Trace, Span, null, TraceDecision.Dropped)]
    [InlineData($"{Trace}-{Span}-d", Trace, Span, null, TraceDecision.Debug)]
    [InlineData($"{Trace}-{Span}", Trace, Span, null, TraceDecision.Deferred)]
    [InlineData($"{Parent}-{Span}", $"0000000000000000{Parent}", Span, null, TraceDecision.Deferred)]
    [InlineData("80F198EE56343BA864FE8B2A57D3EFF7-E457B5A2E4D86BD1", Trace, Span, null, TraceDecision.Deferred)]
    [InlineData("1", null, null, null, TraceDecision.Sampled)]
    [InlineData("0", null, null, null, TraceDecision.Dropped)]
    [InlineData("d", null, null, null, TraceDecision.Debug)]
    public void A_single_b3_may_have_a_trace_and_a_decision(
        string header, string? trace, string? span, string? parent, TraceDecision decision) =>
        Assert.Equal(Remote(trace, span, parent, decision), Read(("b3", header)));

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("--")]
    [InlineData("----------")]
    [InlineData("2")]
    [InlineData("D")]
    [InlineData("true")]
    [InlineData("1-")]
    [InlineData(Trace)]
    [InlineData($"{Trace}-")]
    [InlineData($"-{Span}")]
    [InlineData($"{Trace}-{Span}-")]
    [InlineData($"{Trace}-{Span}-2")]
    [InlineData($"{Trace}-{Span}-D")]
    [InlineData($"{Trace}-{Span}-true")]
    [InlineData($"{Trace}-{Span}-{Parent}")]
    [InlineData($"{Trace}-{Span}--{Parent}")]
    [InlineData($"{Trace}-{Span}-1-")]
    [InlineData($"{Trace}-{Span}-1-{Parent}-")]
    [InlineData($"{Trace}-{Span}-1-{Parent}-1")]
    [InlineData($"{Trace}-{Span}-1-0000000000000000")]
    [InlineData($"{Trace}-{Span}-1-{Trace}")]
    [InlineData($"{Trace}-{Span}-1-05e3ac9a4f6e3b9x")]
    [InlineData($"{Trace}-0000000000000000-1")]
    [InlineData($"{Zeros}-{Span}-1")]
    [InlineData($"0000000000000000-{Span}-1")]
    [InlineData($"{Trace}-{Trace}-1")]
    [InlineData($"{Trace}0-{Span}-1")]
    [InlineData($"80f198ee-{Span}-1")]
    [InlineData($"80f198ee56343ba864fe8b2a57d3efé7-{Span}-1")]
    [InlineData($"80f198ee56343ba864fe8b2a57d3ef 7-{Span}-1")]
    [InlineData($"{Trace}-{Span}-1,{Trace}-{Span}-1")]
    public void A_malformed_b3_is_ignored_and_the_multiple_headers_are_read(string header)
    {
        Assert.Null(Read(("b3", header)));
        Assert.Equal(
            Remote(Other, Parent, null, TraceDecision.Deferred),
            Read(("b3", header), ("X-B3-TraceId", Other), ("X-B3-SpanId", Parent)));
    }

    [Theory]
    [InlineData("1", null, TraceDecision.Sampled)]
    [InlineData("0", null, TraceDecision.Dropped)]
    [InlineData("true", null, TraceDecision.Sampled)]
    [InlineData("False", null, TraceDecision.Dropped)]
    [InlineData("TRUE", "0", TraceDecision.Sampled)]
    [InlineData(null, null, TraceDecision.Deferred)]
    [InlineData("", "", TraceDecision.Deferred)]
    [InlineData("d", "true", TraceDecision.Deferred)]
    [InlineData("yes", "2", TraceDecision.Deferred)]
    [InlineData("10", "11", TraceDecision.Deferred)]
    [InlineData(null, "1", TraceDecision.Debug)]
    [InlineData("0", "1", TraceDecision.Debug)]
    public void The_multiple_headers_of_B3_may_have_a_decision_with_and_without_a_trace(
        string? sampled, string? flags, TraceDecision decision)
    {
        (string, string?)[] decided = [("X-B3-Sampled", sampled), ("X-B3-Flags", flags)];
        RemoteTrace? only = decision == TraceDecision.Deferred ? null : Remote(null, null, null, decision);
        Assert.Equal(only, Read(decided));
        Assert.Equal(
            Remote(Trace, Span, Parent, decision),
            Read([
                .. decided, ("X-B3-TraceId", Trace), ("X-B3-SpanId", Span), ("X-B3-ParentSpanId", Parent),
            ]));
    }

    [Theory]
    [InlineData(Parent, Span, null, $"0000000000000000{Parent}", null)]
    [InlineData("05E3AC9A4F6E3B90", Span, null, $"0000000000000000{Parent}", null)]
    [InlineData(Trace, "E457B5A2E4D86BD1", "05E3AC9A4F6E3B90", Trace, Parent)]
    [InlineData(Trace, Span, "", Trace, null)]
    [InlineData(Trace, Span, "0000000000000000", Trace, null)]
    [InlineData(Trace, Span, Trace, Trace, null)]
    [InlineData(Trace, Span, "05e3ac9a4f6e3b9g", Trace, null)]
    public void Ids_of_B3_may_be_short_or_in_upper_case_and_a_malformed_parent_is_none(
        string trace, string span, string? parent, string expectedTrace, string? expectedParent) =>
        Assert.Equal(
            Remote(expectedTrace, Span, expectedParent, TraceDecision.Sampled),
            Read(
                ("X-B3-TraceId", trace), ("X-B3-SpanId", span), ("X-B3-ParentSpanId", parent), ("X-B3-Sampled", "1")));

    [Theory]
    [InlineData(Trace, null)]
    [InlineData(Trace, "")]
    [InlineData(Trace, "0000000000000000")]
    [InlineData(Trace, Trace)]
    [InlineData(Trace, "e457b5a2e4d86bd")]
    [InlineData(Trace, "e457b5a2e4d86bdx")]
    [InlineData(Trace, "e457b5a2e4d86bdé")]
    [InlineData("", Span)]
    [InlineData(Zeros, Span)]
    [InlineData("0000000000000000", Span)]
    [InlineData("80f198ee56343ba864fe8b2a57d3eff", Span)]
    [InlineData($"{Trace}0", Span)]
    [InlineData("80f198ee56343ba864fe8b2a57d3-ff7", Span)]
    public void The_multiple_headers_of_B3_are_ignored_when_an_id_is_malformed(string trace, string? span) =>
        Assert.Null(Read(("X-B3-TraceId", trace), ("X-B3-SpanId", span), ("X-B3-Sampled", "1")));

    [Fact]
    public void W3C_takes_precedence_over_b3_and_that_over_the_multiple_headers()
    {
        (string, string?) w3c = ("traceparent", $"00-{Trace}-{Span}-00");
        (string, string?) single = ("b3", $"{Other}-{Span}-d");
        (string, string?)[] multi = [("X-B3-TraceId", Trace), ("X-B3-SpanId", Parent), ("X-B3-Flags", "1")];
        Assert.Equal(Remote(Trace, Span, null, TraceDecision.Dropped), Read([w3c, single, .. multi]));
        Assert.Equal(Remote(Other, Span, null, TraceDecision.Debug), Read([single, .. multi]));
        Assert.Equal(Remote(Other, Span, null, TraceDecision.Debug), Read([("traceparent", "?"), single, .. multi]));
        Assert.Equal(Remote(null, null, null, TraceDecision.Dropped), Read([("b3", "0"), .. multi]));
        Assert.Equal(Remote(Trace, Parent, null, TraceDecision.Debug), Read(multi));
    }

    [Theory]
    [InlineData("a=1", 1, true)]
    [InlineData("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", 1, true)]
    [InlineData(" a=1 ,\t\tb=2 ~!", 1, true)]
    [InlineData("x", 512, true)]
    [InlineData("x", 513, false)]
    [InlineData("", 1, false)]
    [InlineData("a=é", 1, false)]
    [InlineData("a=1\r\nb: 2", 1, false)]
    [InlineData("a=\u007f", 1, false)]
    public void A_short_and_printable_tracestate_is_kept_as_received(string part, int times, bool isKept)
    {
        var value = string.Concat(Enumerable.Repeat(part, times));
        var remote = Read(("traceparent", $"00-{Trace}-{Span}-01"), ("tracestate", value));
        Assert.Equal(Remote(Trace, Span, null, TraceDecision.Sampled) with { State = isKept ? value : null }, remote);
        Assert.Null(Read(("tracestate", value)));
        Assert.Null(Read(("b3", $"{Trace}-{Span}-1"), ("tracestate", value))!.State);
    }

    [Theory]
    [InlineData("userId=alice,serverNode=DF%2028,isProduction=false", 1, true)]
    [InlineData("a=1 , b = 2;p=x;q\t,c=!\"#$~", 1, true)]
    [InlineData("x", 8192, true)]
    [InlineData("x", 8193, false)]
    [InlineData("", 1, false)]
    [InlineData("a=é", 1, false)]
    [InlineData("a=1\nb: 2", 1, false)]
    [InlineData("a=\0", 1, false)]
    public void Baggage_is_kept_as_received_with_and_without_a_trace(string part, int times, bool isKept)
    {
        var value = string.Concat(Enumerable.Repeat(part, times));
        var kept = isKept ? value : null;
        RemoteTrace? only = isKept ? RemoteTrace.Nothing with { Baggage = value } : null;
        Assert.Equal(only, Read(("baggage", value)));
        Assert.Equal(only, Read(("baggage", value), ("traceparent", "?")));
        Assert.Equal(
            Remote(Trace, Span, null, TraceDecision.Sampled) with { Baggage = kept },
            Read(("baggage", value), ("traceparent", $"00-{Trace}-{Span}-01")));
        Assert.Equal(
            Remote(null, null, null, TraceDecision.Dropped) with { Baggage = kept },
            Read(("baggage", value), ("b3", "0")));
    }

    [Fact]
    public void Requests_without_context_cost_six_header_lookups_and_no_allocation()
    {
        List<string> asked = new(6);
        Func<List<string>, string, string?> get = static (names, name) =>
        {
            names.Add(name);
            return null;
        };
        Assert.Null(TracePropagation.Read(asked, get));
        Assert.Equal(["traceparent", "b3", "X-B3-TraceId", "X-B3-Sampled", "X-B3-Flags", "baggage"], asked);

        asked.Clear();
        var before = GC.GetAllocatedBytesForCurrentThread();
        var remote = TracePropagation.Read(asked, get);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Null(remote);
    }

    [Theory]
    [InlineData(PropagationFormat.W3C, TraceDecision.Deferred, $"traceparent: 00-{Trace}-{Span}-00; tracestate: s=1")]
    [InlineData(PropagationFormat.W3C, TraceDecision.Dropped, $"traceparent: 00-{Trace}-{Span}-00; tracestate: s=1")]
    [InlineData(PropagationFormat.W3C, TraceDecision.Sampled, $"traceparent: 00-{Trace}-{Span}-01; tracestate: s=1")]
    [InlineData(PropagationFormat.W3C, TraceDecision.Debug, $"traceparent: 00-{Trace}-{Span}-01; tracestate: s=1")]
    [InlineData(PropagationFormat.B3Single, TraceDecision.Deferred, $"b3: {Trace}-{Span}")]
    [InlineData(PropagationFormat.B3Single, TraceDecision.Dropped, $"b3: {Trace}-{Span}-0-{Parent}")]
    [InlineData(PropagationFormat.B3Single, TraceDecision.Sampled, $"b3: {Trace}-{Span}-1-{Parent}")]
    [InlineData(PropagationFormat.B3Single, TraceDecision.Debug, $"b3: {Trace}-{Span}-d-{Parent}")]
    [InlineData(PropagationFormat.B3Multi, TraceDecision.Deferred, "")]
    [InlineData(PropagationFormat.B3Multi, TraceDecision.Dropped, "; X-B3-Sampled: 0")]
    [InlineData(PropagationFormat.B3Multi, TraceDecision.Sampled, "; X-B3-Sampled: 1")]
    [InlineData(PropagationFormat.B3Multi, TraceDecision.Debug, "; X-B3-Flags: 1")]
    public void Each_format_writes_its_own_headers(PropagationFormat format, TraceDecision decision, string expected)
    {
        var ids = $"X-B3-TraceId: {Trace}; X-B3-SpanId: {Span}; X-B3-ParentSpanId: {Parent}";
        var all = $"{(format == PropagationFormat.B3Multi ? ids : "")}{expected}; baggage: b=1";
        var headers = Write(Context(decision, hasParent: true), format);
        Assert.Equal(all, string.Join("; ", headers.Select(header => $"{header.Key}: {header.Value}")));
    }

    [Theory]
    [MemberData(nameof(Choices))]
    public void A_context_survives_a_round_trip_as_far_as_the_format_allows(
        PropagationFormat format, TraceDecision decision, bool hasParent)
    {
        var context = Context(decision, hasParent);
        var isW3C = format == PropagationFormat.W3C;
        var losesParent = isW3C || (format == PropagationFormat.B3Single && decision == TraceDecision.Deferred);
        var expected = new RemoteTrace(
            context.TraceId,
            context.SpanId,
            losesParent ? null : context.ParentId,
            !isW3C ? decision : context.IsSampled ? TraceDecision.Sampled : TraceDecision.Dropped,
            isW3C ? "s=1" : null,
            "b=1");
        Assert.Equal(expected, Read(Write(context, format)));
        var bare = Write(context with { State = null, Baggage = null }, format);
        Assert.Equal(expected with { State = null, Baggage = null }, Read(bare));
    }

    [Fact]
    public void An_undefined_format_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Write(Context(default, true), (PropagationFormat)3));

    [Fact]
    public void Arbitrary_headers_are_read_without_an_exception_and_can_be_propagated()
    {
        const string characters = "00000000000000001dfFgx--,;= \t\r\n\0\u007fé\ud800٣";
        var random = new Random(4711);
        var traces = 0;
        for (var i = 0; i < 100_000; i++)
        {
            var context = Context((TraceDecision)random.Next(4), random.Next(2) == 0);
            var headers = Write(context, (PropagationFormat)random.Next(3));
            foreach (var name in headers.Keys.Where(_ => random.Next(2) == 0).ToList())
            {
                headers[name] = Spoilt(headers[name]);
            }
            if (Read(headers) is not { } remote)
            {
                continue;
            }
            Assert.Equal(remote.TraceId is null, remote.SpanId is null);
            if (remote is { TraceId: { } trace, SpanId: { } span })
            {
                traces++;
                var again = new TraceContext(trace, span, remote.ParentId, remote.Decision, null, remote.Baggage);
                Assert.Equal(remote with { State = null }, Read(Write(again, PropagationFormat.B3Multi)));
            }
        }
        Assert.InRange(traces, 10_000, 90_000);

        string Spoilt(string value)
        {
            var at = random.Next(value.Length + 1);
            var noise = new string(random.GetItems<char>(characters, random.Next(4)));
            return random.Next(8) == 0
                ? new string(random.GetItems<char>(characters, random.Next(80)))
                : value[..at] + noise + value[Math.Min(value.Length, at + random.Next(4))..];
        }
    }

    private static TraceContext Context(TraceDecision decision, bool hasParent) => new(
        ActivityTraceId.CreateFromString(Trace),
        ActivitySpanId.CreateFromString(Span),
        hasParent ? ActivitySpanId.CreateFromString(Parent) : null,
        decision,
        "s=1",
        "b=1");

    private static RemoteTrace Remote(string? trace, string? span, string? parent, TraceDecision decision) => new(
        trace is null ? null : ActivityTraceId.CreateFromString(trace),
        span is null ? null : ActivitySpanId.CreateFromString(span),
        parent is null ? null : ActivitySpanId.CreateFromString(parent),
        decision);

    private static RemoteTrace? Read(params (string Name, string? Value)[] headers) =>
        Read(headers.Where(header => header.Value is not null).ToDictionary(
            header => header.Name, header => header.Value!));

    private static RemoteTrace? Read(Dictionary<string, string> headers) =>
        TracePropagation.Read(headers, static (carrier, name) => carrier.GetValueOrDefault(name));

    private static Dictionary<string, string> Write(in TraceContext context, PropagationFormat format)
    {
        Dictionary<string, string> headers = [];
        TracePropagation.Write(context, format, headers, static (carrier, name, value) => carrier.Add(name, value));
        return headers;
    }
}
