using System.Buffers;
using System.Diagnostics;

namespace TaskService.Telemetry.Propagation;

/// <summary>The headers of outgoing trace contexts. Incoming ones are read in any format.</summary>
public enum PropagationFormat
{
    /// <summary><c>traceparent</c> and <c>tracestate</c> (W3C Trace Context).</summary>
    W3C,

    /// <summary><c>X-B3-TraceId</c> and others, a header for each value (openzipkin/b3-propagation).</summary>
    B3Multi,

    /// <summary>All in <c>b3</c> (openzipkin/b3-propagation).</summary>
    B3Single,
}

/// <summary>The trace context of a caller. All of it is absent by default.</summary>
/// <param name="TraceId">The trace to join; null to begin one.</param>
/// <param name="SpanId">The caller's own span, the parent of what begins here; null exactly when no trace is.</param>
/// <param name="ParentId">The parent of the caller's span; null for none, and always with W3C.</param>
/// <param name="Decision">The sampling decision. In B3 it may come without a trace: then it is for the new one.</param>
/// <param name="State">W3C <c>tracestate</c> as it came, at most 512 characters; null for none.</param>
/// <param name="Baggage">W3C <c>baggage</c> as it came, at most 8192 bytes; null for none.</param>
public sealed record RemoteTrace(
    ActivityTraceId? TraceId,
    ActivitySpanId? SpanId,
    ActivitySpanId? ParentId,
    TraceDecision Decision,
    string? State = null,
    string? Baggage = null)
{
    internal static readonly RemoteTrace Nothing = new(null, null, null, TraceDecision.Deferred);
}

/// <summary>Reads the context of a trace from headers, and writes it to them.</summary>
public static class TracePropagation
{
    private const string Baggage = "baggage";
    private const int BaggageBytesMax = 8192;

    // The characters of tracestate and baggage, with blanks and tabs between members. Each is one byte in UTF-8.
    private static readonly SearchValues<char> Printable =
        SearchValues.Create(['\t', .. Enumerable.Range(' ', '~' - ' ' + 1).Select(i => (char)i)]);

    /// <summary>
    /// Reads the first of <c>traceparent</c>, <c>b3</c> and <c>X-B3-*</c> that is well-formed, and <c>baggage</c> (W3C
    /// Baggage section 3.3), which needs no trace. Malformed headers are ignored. Null without a context. Throws no
    /// exception of its own, and allocates only the result.
    /// </summary>
    /// <param name="carrier">Has the headers; passed to <paramref name="get"/>.</param>
    /// <param name="get">
    /// The first value of a header, or null. It should ignore case, join several values of <c>tracestate</c> and
    /// <c>baggage</c> with commas, and ignore a repeated <c>traceparent</c>, as in the tests of the W3C.
    /// </param>
    public static RemoteTrace? Read<T>(T carrier, Func<T, string, string?> get)
    {
        ArgumentNullException.ThrowIfNull(get);
        var trace = W3CTrace.Read(carrier, get) ?? B3Trace.ReadSingle(carrier, get) ?? B3Trace.ReadMulti(carrier, get);
        return Acceptable(get(carrier, Baggage), BaggageBytesMax) is { } baggage
            ? (trace ?? RemoteTrace.Nothing) with { Baggage = baggage }
            : trace;
    }

    /// <summary>
    /// Sets the headers of a format, with the ids for any sampling decision, and <c>baggage</c> if there is any. W3C
    /// cannot express deferred (it becomes dropped) or debug (sampled), and has no parent; B3 has no <c>tracestate</c>,
    /// and <c>b3</c> no parent when the decision is deferred.
    /// </summary>
    /// <param name="context">Of the calling operation; its ids are not zero.</param>
    /// <param name="format">A defined value.</param>
    /// <param name="carrier">Gets the headers, and has none of them yet; passed to <paramref name="set"/>.</param>
    /// <param name="set">Sets a header to a value.</param>
    /// <exception cref="ArgumentOutOfRangeException">The format is not defined.</exception>
    public static void Write<T>(
        in TraceContext context, PropagationFormat format, T carrier, Action<T, string, string> set)
    {
        ArgumentNullException.ThrowIfNull(set);
        switch (format)
        {
            case PropagationFormat.W3C:
                W3CTrace.Write(context, carrier, set);
                break;
            case PropagationFormat.B3Multi:
                B3Trace.WriteMulti(context, carrier, set);
                break;
            case PropagationFormat.B3Single:
                B3Trace.WriteSingle(context, carrier, set);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, null);
        }
        if (context.Baggage is { } baggage)
        {
            set(carrier, Baggage, baggage);
        }
    }

    /// <summary>The value if it is safe to pass on as received; else null.</summary>
    internal static string? Acceptable(string? value, int charactersMax) =>
        value?.Length > 0 && value.Length <= charactersMax && !value.AsSpan().ContainsAnyExcept(Printable)
            ? value
            : null;
}
