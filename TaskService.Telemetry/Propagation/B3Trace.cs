using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace TaskService.Telemetry.Propagation;

/// <summary>
/// The headers of Zipkin (openzipkin/b3-propagation), one for each value or all in one. Without a trace they may still
/// carry a sampling decision for the new one.
/// </summary>
internal static class B3Trace
{
    private const string Single = "b3";
    private const string TraceId = "X-B3-TraceId";
    private const string SpanId = "X-B3-SpanId";
    private const string ParentId = "X-B3-ParentSpanId";
    private const string Sampled = "X-B3-Sampled";
    private const string Flags = "X-B3-Flags";
    private const string DebugFlag = "1";

    private const int TraceDigits = 32;
    private const int SpanDigits = 16;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>
    /// <c>{trace}-{span}</c>, <c>{trace}-{span}-{decision}</c>, <c>{trace}-{span}-{decision}-{parent}</c>, or only a
    /// decision: 1, 0, or d for debug.
    /// </summary>
    public static RemoteTrace? ReadSingle<T>(T carrier, Func<T, string, string?> get)
    {
        var text = get(carrier, Single).AsSpan();
        if (ParseDecision(text) is { } only)
        {
            return new RemoteTrace(null, null, null, only);
        }
        // With more than four parts, the last one holds the rest, and is not a valid id.
        Span<Range> parts = stackalloc Range[4];
        var count = text.Split(parts, '-');
        if (count < 2 || ParseTraceId(text[parts[0]]) is not { } trace || ParseSpanId(text[parts[1]]) is not { } span)
        {
            return null;
        }
        var decision = count > 2 ? ParseDecision(text[parts[2]]) : TraceDecision.Deferred;
        var parent = count > 3 ? ParseSpanId(text[parts[3]]) : null;
        return decision is { } decided && (count < 4 || parent is not null)
            ? new RemoteTrace(trace, span, parent, decided)
            : null;
    }

    public static RemoteTrace? ReadMulti<T>(T carrier, Func<T, string, string?> get)
    {
        var traceText = get(carrier, TraceId);
        var sampled = get(carrier, Sampled);
        var decision = get(carrier, Flags) == DebugFlag ? TraceDecision.Debug : sampled switch
        {
            "1" => TraceDecision.Sampled,
            "0" => TraceDecision.Dropped,
            _ when bool.TryParse(sampled, out var isSampled) =>
                isSampled ? TraceDecision.Sampled : TraceDecision.Dropped,
            _ => TraceDecision.Deferred,
        };
        if (traceText is null)
        {
            return decision == TraceDecision.Deferred ? null : new RemoteTrace(null, null, null, decision);
        }
        return ParseTraceId(traceText) is { } trace && ParseSpanId(get(carrier, SpanId)) is { } span
            ? new RemoteTrace(trace, span, ParseSpanId(get(carrier, ParentId)), decision)
            : null;
    }

    public static void WriteSingle<T>(in TraceContext context, T carrier, Action<T, string, string> set)
    {
        var decision = context.Decision switch
        {
            TraceDecision.Debug => "-d",
            TraceDecision.Sampled => "-1",
            TraceDecision.Dropped => "-0",
            _ => null,
        };
        // The parent follows the decision, so it cannot be written without one.
        var parent = decision is not null && context.ParentId is { } id ? $"-{id.ToHexString()}" : null;
        set(carrier, Single, $"{context.TraceId.ToHexString()}-{context.SpanId.ToHexString()}{decision}{parent}");
    }

    public static void WriteMulti<T>(in TraceContext context, T carrier, Action<T, string, string> set)
    {
        set(carrier, TraceId, context.TraceId.ToHexString());
        set(carrier, SpanId, context.SpanId.ToHexString());
        if (context.ParentId is { } parent)
        {
            set(carrier, ParentId, parent.ToHexString());
        }
        if (context.Decision == TraceDecision.Debug)
        {
            set(carrier, Flags, DebugFlag);
        }
        else if (context.Decision != TraceDecision.Deferred)
        {
            set(carrier, Sampled, context.IsSampled ? "1" : "0");
        }
    }

    /// <summary>16 or 32 hexadecimal digits of any case that are not all 0; else null.</summary>
    public static ActivityTraceId? ParseTraceId(ReadOnlySpan<char> text)
    {
        Span<char> digits = stackalloc char[TraceDigits];
        return text.Length is TraceDigits or TraceDigits / 2 && TryNormalize(text, digits)
            ? ActivityTraceId.CreateFromString(digits)
            : null;
    }

    /// <summary>16 hexadecimal digits of any case that are not all 0; else null.</summary>
    public static ActivitySpanId? ParseSpanId(ReadOnlySpan<char> text)
    {
        Span<char> digits = stackalloc char[SpanDigits];
        return text.Length == SpanDigits && TryNormalize(text, digits)
            ? ActivitySpanId.CreateFromString(digits)
            : null;
    }

    /// <summary>Pads with zeros on the left, and lowers; false when the result is no id.</summary>
    private static bool TryNormalize(ReadOnlySpan<char> text, Span<char> digits)
    {
        digits.Fill('0');
        return Ascii.ToLower(text, digits[^text.Length..], out _) == OperationStatus.Done
            && !digits.ContainsAnyExcept(HexDigits) && digits.ContainsAnyExcept('0');
    }

    private static TraceDecision? ParseDecision(ReadOnlySpan<char> text) => text switch
    {
        "1" => TraceDecision.Sampled,
        "0" => TraceDecision.Dropped,
        "d" => TraceDecision.Debug,
        _ => null,
    };
}
