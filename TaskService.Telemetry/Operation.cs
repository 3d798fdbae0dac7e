using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry;

/// <summary>
/// A piece of work that is observed, such as a request: who asked, how it went, and whatever code on the way sets on
/// it. Safe for use by several threads at once.
/// </summary>
/// <param name="id">What ties together everything that is said about it; 1 to 128 visible ASCII characters.</param>
/// <param name="traceParent">
/// As it came in the header of that name (W3C Trace Context); null or malformed, and it begins a trace of its own.
/// </param>
public sealed class Operation(string id, string? traceParent = null)
{
    private static readonly AsyncLocal<Operation?> Ambient = new();

    // Made when the first field is set: most requests have none of their own.
    private FieldList? fields;
    private string? traceId;

    /// <summary>The operation that this code runs in, or null outside of any.</summary>
    public static Operation? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public string Id { get; } = id;

    /// <summary>The trace that it belongs to, 32 lower-case hexadecimal digits; found when asked for.</summary>
    public string TraceId =>
        traceId ?? Interlocked.CompareExchange(ref traceId, FindTraceId(), null) ?? traceId;

    /// <summary>The level of its line; null when how it ends decides.</summary>
    public LogLevel? Level { get; set; }

    /// <summary>Sets a field, which becomes part of its line.</summary>
    /// <param name="key">Lower case with underscores, such as <c>row_count</c>.</param>
    /// <param name="value">A text, number, boolean, duration, or null.</param>
    public void Set(string key, FieldValue value)
    {
        var list = fields ?? Interlocked.CompareExchange(ref fields, new FieldList(), null) ?? fields;
        lock (list)
        {
            list.Set(key, value);
        }
    }

    /// <summary>
    /// Adds what was set to the end of <paramref name="target"/>, in the order in which it was first set.
    /// </summary>
    public void CopyTo(FieldList target)
    {
        ArgumentNullException.ThrowIfNull(target);
        if (fields is { } list)
        {
            lock (list)
            {
                target.Append(list.Items);
            }
        }
    }

    private string FindTraceId()
    {
        var trace = ActivityContext.TryParse(traceParent, null, out var parent)
            ? parent.TraceId
            : ActivityTraceId.CreateRandom();
        return trace.ToHexString();
    }
}
