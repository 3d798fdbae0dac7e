using TaskService.Telemetry.Outlets;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry;

/// <summary>What is observed, and where that goes.</summary>
public sealed record TelemetrySettings
{
    /// <summary>That a trace is recorded about which no caller has decided, from 0 to 1.</summary>
    public double TraceProbability { get; init; }

    /// <summary>The headers of requests that go out.</summary>
    public PropagationFormat Propagation { get; init; }

    /// <summary>How many event records a type leaves, by its name; all of those that are not named.</summary>
    public IReadOnlyDictionary<string, Sample> EventSamples { get; init; } = new Dictionary<string, Sample>();

    /// <summary>Whether counts and times are kept in memory.</summary>
    public bool Statistics { get; init; }

    /// <summary>Whether each message that is logged in an operation is an operation <c>.log</c> of its own.</summary>
    public bool LogEvents { get; init; }

    public IReadOnlyList<OutletSettings> Outlets { get; init; } = [];
}

/// <param name="Name">Of the outlet, as the configuration calls it.</param>
/// <param name="Input">What it gets.</param>
/// <param name="Open">Makes it.</param>
/// <param name="Queue">What waits for it.</param>
public sealed record OutletSettings(string Name, OutletInput Input, Func<IOutlet> Open, OutletQueueSettings Queue);

/// <summary>What an outlet gets.</summary>
public enum OutletInput
{
    /// <summary>Every operation, to count and time them: what they are called, and how long they took.</summary>
    Operations,

    /// <summary>Operations that the rules for event records let through.</summary>
    Events,

    /// <summary>Operations of traces that are recorded.</summary>
    Spans,
}
