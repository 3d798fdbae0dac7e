using System.Diagnostics;
using System.Runtime.CompilerServices;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>A finished operation for exporters. Immutable.</summary>
public sealed class OperationRecord
{
    /// <summary>The <c>route</c> of a request that matches no route.</summary>
    public const string NoRoute = "_not_found";

    // Of the record, its operation, its id and the array of its fields; and of a field in that.
    private const int BytesOfRecord = 384;
    private const int BytesOfField = 32;

    private readonly StrongBox<TraceContext>? given;
    private OperationKey? key;
    private long bytesEstimate;

    /// <summary>Of the machine.</summary>
    public static string Host { get; } = Environment.MachineName;

    /// <summary>Of the process.</summary>
    public static int Pid { get; } = Environment.ProcessId;

    /// <summary>Shared by all operations of one event, such as a request and its queries.</summary>
    public required string Id { get; init; }

    /// <summary>Dotted, such as <c>request</c> or <c>request.sql</c>.</summary>
    public required string Type { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime Start { get; init; }

    /// <summary>By a clock that never goes back.</summary>
    public required TimeSpan Duration { get; init; }

    public DateTime End => Start + Duration;

    /// <summary>
    /// In the order in which they were first set; a dot in a key goes one level down. Empty when the exporters need
    /// only its name and duration.
    /// </summary>
    public required IReadOnlyList<Field> Fields { get; init; }

    public ActivityKind Kind { get; init; }

    /// <summary>Its trace context, if it has fields; created on first use.</summary>
    public TraceContext Trace
    {
        get => given?.Value ?? Operation?.Trace ?? default;
        init => given = new(value);
    }

    /// <summary>Its activity, when its trace is sampled and an exporter gets spans.</summary>
    public Activity? Span { get; init; }

    /// <summary>Whether it is an event record, by the sampling rules. Metrics count it in any case.</summary>
    public bool IsEvent { get; init; }

    /// <summary>The failure in one line; null when it did not fail.</summary>
    public string? Error { get; init; }

    /// <summary>The key of its metrics.</summary>
    internal OperationKey Key
    {
        get => key ?? OperationKey.Of(Type, Fields as Field[] ?? [.. Fields]);
        init => key = value;
    }

    /// <summary>An estimate of its memory: two bytes a character of text, and constants for the rest.</summary>
    internal long BytesEstimate => bytesEstimate > 0 ? bytesEstimate : bytesEstimate = Estimate();

    /// <summary>The operation, for its trace context and those that enclose it; null for a record without
    /// fields.</summary>
    internal Operation? Operation { get; init; }

    private long Estimate()
    {
        var bytes = BytesOfRecord + 2L * (Error?.Length ?? 0);
        foreach (var field in Fields as Field[] ?? [.. Fields])
        {
            bytes += BytesOfField + 2 * field.Key.Length + field.Value.BytesEstimate;
        }
        return bytes;
    }
}
