using System.Diagnostics;

namespace TaskService.Telemetry.Propagation;

/// <summary>Whether a trace is recorded. Decided once, where it begins, and obeyed by all who join it.</summary>
public enum TraceDecision
{
    /// <summary>Not decided yet: whoever gets it decides (B3 only).</summary>
    Deferred,
    Dropped,
    Sampled,

    /// <summary>Sampled, whatever any rule says (B3 only).</summary>
    Debug,
}

/// <summary>The place of an operation in a trace.</summary>
/// <param name="TraceId">Of all operations that belong together.</param>
/// <param name="SpanId">Of this one.</param>
/// <param name="ParentId">Of the one that caused it; null when it begins the trace.</param>
/// <param name="Decision">Whether it is recorded.</param>
/// <param name="State">What vendors pass on (W3C <c>tracestate</c>), as it came; null when there is none.</param>
/// <param name="Baggage">What the application passes on (W3C <c>baggage</c>), as it came; null for none.</param>
public readonly record struct TraceContext(
    ActivityTraceId TraceId,
    ActivitySpanId SpanId,
    ActivitySpanId? ParentId,
    TraceDecision Decision,
    string? State = null,
    string? Baggage = null)
{
    public bool IsSampled => Decision is TraceDecision.Sampled or TraceDecision.Debug;

    /// <summary>The place of an operation within this one.</summary>
    public TraceContext Child() => this with { SpanId = ActivitySpanId.CreateRandom(), ParentId = SpanId };

    /// <summary>The place of a request.</summary>
    /// <param name="id">That of the caller's trace, or a new one.</param>
    /// <param name="remote">What the caller sent; null, and the request begins a trace.</param>
    /// <param name="decision">See <see cref="Decide"/>.</param>
    public static TraceContext Begin(ActivityTraceId id, RemoteTrace? remote, TraceDecision decision) => new(
        id, ActivitySpanId.CreateRandom(), remote?.SpanId, decision, remote?.State, remote?.Baggage);

    /// <summary>Whether the trace of a request is recorded; never <see cref="TraceDecision.Deferred"/>.</summary>
    /// <param name="remote">What the caller sent, which is obeyed; null, and the request begins a trace.</param>
    /// <param name="probability">That a trace is recorded about which nobody has decided, from 0 to 1.</param>
    public static TraceDecision Decide(RemoteTrace? remote, double probability) => remote?.Decision switch
    {
        null or TraceDecision.Deferred =>
            NextRandom() < probability ? TraceDecision.Sampled : TraceDecision.Dropped,
        { } decided => decided,
    };

    /// <summary>A random number from 0 to below 1 for a sampling decision.</summary>
    internal static double NextRandom() =>
        // Nothing is gained by guessing it, and it costs no system call.
        Random.Shared.NextDouble();
}
