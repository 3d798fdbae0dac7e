using System.Diagnostics;
using System.Runtime.CompilerServices;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>A finished operation, as exporters see it. It never changes.</summary>
public sealed class OperationRecord
{
    /// <summary>The <c>route</c> of a request whose path is none.</summary>
    public const string NoRoute = "_not_found";

    // Of itself, its operation, its id and the array of its fields; and of a field in that.
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
    /// In the order in which they were first set; a dot in a key goes one level down. None where no exporter gets more
    /// than a name and a time.
    /// </summary>
    public required IReadOnlyList<Field> Fields { get; init; }

    public ActivityKind Kind { get; init; }

    /// <summary>Its place in a trace, where there are fields; made when it is asked for.</summary>
    public TraceContext Trace
    {
        get => given?.Value ?? Operation?.Trace ?? default;
        init => given = new(value);
    }

    /// <summary>As .NET's own tracing has it, when its trace is recorded and an exporter gets spans.</summary>
    public Activity? Span { get; init; }

    /// <summary>Whether the rules for event records let it through. Metrics count it all the same.</summary>
    public bool IsEvent { get; init; }

    /// <summary>What went wrong in one line; null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>What it is counted as.</summary>
    internal OperationKey Key
    {
        get => key ?? OperationKey.Of(Type, Fields as Field[] ?? [.. Fields]);
        init => key = value;
    }

    /// <summary>About how much memory it takes: two bytes a character of text, and a little for all else.</summary>
    internal long BytesEstimate => bytesEstimate > 0 ? bytesEstimate : bytesEstimate = Estimate();

    /// <summary>Whose record it is.</summary>
    internal Operation? Operation { private get; init; }

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
