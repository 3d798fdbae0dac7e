using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>Which operations are recorded, and how they go on in other services.</summary>
public record OperationSettings
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
}
