using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>Sampling of operations, and propagation to other services.</summary>
public record OperationSettings
{
    /// <summary>Probability of sampling a trace without a decision of the caller, from 0 to 1.</summary>
    public double TraceProbability { get; init; }

    /// <summary>The headers of outgoing requests.</summary>
    public PropagationFormat Propagation { get; init; }

    /// <summary>Sampling rules for event records, by type; a type without a rule is not sampled.</summary>
    public IReadOnlyDictionary<string, Sample> EventSamples { get; init; } = new Dictionary<string, Sample>();

    /// <summary>Whether counts and times are kept in memory.</summary>
    public bool Statistics { get; init; }

    /// <summary>Whether each message that is logged in an operation is an operation <c>.log</c> of its own.</summary>
    public bool LogEvents { get; init; }
}
