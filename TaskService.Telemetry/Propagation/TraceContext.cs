using System.Diagnostics;

namespace TaskService.Telemetry.Propagation;

/// <summary>The sampling decision of a trace. Made once, where it begins, and obeyed by all services in it.</summary>
public enum TraceDecision
{
    /// <summary>Not decided yet: the receiver decides (B3 only).</summary>
    Deferred,
    Dropped,
    Sampled,

    /// <summary>Sampled, regardless of sampling rules (B3 only).</summary>
    Debug,
}

/// <summary>The place of an operation in a trace.</summary>
/// <param name="TraceId">Of all operations that belong together.</param>
/// <param name="SpanId">Of this one.</param>
/// <param name="ParentId">Of the one that caused it; null when it begins the trace.</param>
/// <param name="Decision">Whether it is recorded.</param>
/// <param name="State">The W3C <c>tracestate</c> of vendors, as received; null when there is none.</param>
/// <param name="Baggage">The W3C <c>baggage</c> of the application, as received; null for none.</param>
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
    /// <param name="remote">The context of the caller; null when the request begins a trace.</param>
    /// <param name="decision">See <see cref="Decide"/>.</param>
    public static TraceContext Begin(ActivityTraceId id, RemoteTrace? remote, TraceDecision decision) => new(
        id, ActivitySpanId.CreateRandom(), remote?.SpanId, decision, remote?.State, remote?.Baggage);

    /// <summary>Makes the sampling decision of a request's trace; never <see cref="TraceDecision.Deferred"/>.</summary>
    /// <param name="remote">The context of the caller, whose decision is obeyed; null when the request begins a
    /// trace.</param>
    /// <param name="probability">Of sampling a trace without a decision, from 0 to 1.</param>
    public static TraceDecision Decide(RemoteTrace? remote, double probability) => remote?.Decision switch
    {
        null or TraceDecision.Deferred =>
            NextRandom() < probability ? TraceDecision.Sampled : TraceDecision.Dropped,
        { } decided => decided,
    };

    /// <summary>A random number from 0 to below 1 for a sampling decision.</summary>
    internal static double NextRandom() =>
        // It need not be unpredictable, and this one costs no system call.
        Random.Shared.NextDouble();
}
