using System.Buffers;
using System.Globalization;

namespace TaskService.Telemetry.Propagation;

/// <summary>
/// <c>traceparent</c> and <c>tracestate</c> (W3C Trace Context sections 3.2 and 3.3):
/// <c>{version, 2 digits}-{trace, 32}-{span, 16}-{flags, 2}</c>, hexadecimal in lower case.
/// </summary>
internal static class W3CTrace
{
    private const string Parent = "traceparent";
    private const string State = "tracestate";
    private const int ParentCharacters = 55;
    private const int StateCharactersMax = 512;
    private const byte NoVersion = 0xff;
    private const byte SampledFlag = 1;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("-0123456789abcdef");

    public static RemoteTrace? Read<T>(T carrier, Func<T, string, string?> get) =>
        Parse(get(carrier, Parent)) is { } trace
            ? trace with { State = TracePropagation.Acceptable(get(carrier, State), StateCharactersMax) }
            : null;

    public static void Write<T>(in TraceContext context, T carrier, Action<T, string, string> set)
    {
        var flags = context.IsSampled ? "01" : "00";
        set(carrier, Parent, $"00-{context.TraceId.ToHexString()}-{context.SpanId.ToHexString()}-{flags}");
        if (context.State is { } state)
        {
            set(carrier, State, state);
        }
    }

    private static RemoteTrace? Parse(ReadOnlySpan<char> text)
    {
        if (text.Length < ParentCharacters
            || text[..ParentCharacters].ContainsAnyExcept(Allowed)
            || text[2] != '-' || text[35] != '-' || text[52] != '-'
            || !TryParseByte(text[..2], out var version) || version == NoVersion
            || !TryParseByte(text[53..ParentCharacters], out var flags)
            || B3Trace.ParseTraceId(text[3..35]) is not { } trace
            || B3Trace.ParseSpanId(text[36..52]) is not { } span)
        {
            return null;
        }
        // Later versions may append fields to those of version 00.
        var isWhole = text.Length == ParentCharacters || (version > 0 && text[ParentCharacters] == '-');
        var decision = (flags & SampledFlag) != 0 ? TraceDecision.Sampled : TraceDecision.Dropped;
        return isWhole ? new RemoteTrace(trace, span, null, decision) : null;
    }

    private static bool TryParseByte(ReadOnlySpan<char> digits, out byte value) =>
        byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
