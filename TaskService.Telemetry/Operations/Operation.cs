using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// An observed piece of work, such as a request: its duration, its outcome, and the fields that code sets on it. It
/// ends when it is disposed of. Safe for use by several threads at once. An invalid change, after its end or to a value
/// of another kind, is ignored and counted, and never an error.
/// </summary>
public sealed partial class Operation : IDisposable
{
    private static readonly AsyncLocal<Operation?> Ambient = new();

    [ThreadStatic]
    private static FieldList? threadFields;

    private readonly long started;
    private readonly DateTime startTime;
    private readonly RemoteTrace? remote;

    // A request keeps its fields for its log line; any other operation only for exporters and statistics.
    private readonly bool keepsFields;

    // Created on first use: most requests set and start nothing, and ids cost more than all the rest.
    private FieldList? fields;
    private string? traceId;
    private StrongBox<TraceContext>? trace;
    private ConcurrentDictionary<string, double>? decisions;
    private Activity? span;
    private TraceDecision decision;
    private int hasEnded;

    internal Operation(
        OperationSource telemetry,
        string id,
        string type,
        Operation? enclosing = null,
        RemoteTrace? remote = null,
        ActivityKind kind = ActivityKind.Internal)
    {
        (Telemetry, Id, Type, Enclosing, this.remote, Kind) = (telemetry, id, type, enclosing, remote, kind);
        keepsFields = telemetry.HasReaders || kind == ActivityKind.Server;
        started = keepsFields ? Stopwatch.GetTimestamp() : 0;
        startTime = telemetry.HasExporters || telemetry.HasLatest ? StartTime(enclosing) : default;
    }

    /// <summary>The innermost operation of the calling code, or null outside of any.</summary>
    public static Operation? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    /// <summary>
    /// The correlation id, shared by an event such as a request, and its queries and log lines; 1 to 128 visible ASCII
    /// characters.
    /// </summary>
    public string Id { get; }

    /// <summary>Dotted, such as <c>request</c> or <c>request.sql</c>.</summary>
    public string Type { get; }

    public ActivityKind Kind { get; }

    /// <summary>The id of its trace, 32 lower-case hexadecimal digits; generated on first use.</summary>
    public string TraceId =>
        traceId ?? Interlocked.CompareExchange(ref traceId, FindTraceId().ToHexString(), null) ?? traceId;

    /// <summary>Its trace context; created on first use.</summary>
    public TraceContext Trace =>
        (trace ?? Interlocked.CompareExchange(ref trace, new(MakeTrace()), null) ?? trace).Value;

    /// <summary>Whether an exporter or the statistics read its record.</summary>
    public bool IsRead => Telemetry.HasReaders;

    /// <summary>Whether somebody gets its record with all fields; others count and time it.</summary>
    public bool IsRecorded => IsSpan || (IsEvent && Telemetry.HasEvents) || Telemetry.HasLatest;

    /// <summary>The level of its log line; null when the outcome decides.</summary>
    public LogLevel? Level
    {
        get;
        set => field = keepsFields ? value : null;
    }

    /// <summary>The failure in one line; null when it did not fail.</summary>
    public string? Error { get; private set; }

    /// <summary>A null object without readers: it ignores all changes, and is never current.</summary>
    internal static Operation None { get; } = new(OperationSource.Off, "", "") { hasEnded = 1 };

    /// <summary>Keys that are set by the code that started it, at its end only.</summary>
    internal FrozenSet<string>? Reserved { get; init; }

    internal OperationSource Telemetry { get; }

    /// <summary>The operation that was current when it started.</summary>
    internal Operation? Enclosing { get; }

    /// <summary>Whether it leaves an event record, by the sampling rules.</summary>
    internal bool IsEvent { get; init; } = true;

    /// <summary>Whether it has an activity.</summary>
    internal bool IsSpan => span is not null;

    internal bool HasEnded => Volatile.Read(ref hasEnded) != 0;

    /// <summary>Sets a field.</summary>
    /// <param name="key">
    /// Lower case with underscores, such as <c>row_count</c>; a dot goes one level down, as in <c>user.name</c>. Keys
    /// that the service sets on a request itself, such as <c>status</c>, are reserved.
    /// </param>
    /// <param name="value">A text, number, boolean, duration, list or null.</param>
    public void Set(string key, FieldValue value)
    {
        if (FieldsFor(key) is { } list)
        {
            lock (list)
            {
                Count(HasEnded ? Misuse.Ended : list.Set(key, value));
            }
        }
    }

    /// <summary>Sets a field to a list.</summary>
    public void SetList(string key, params ReadOnlySpan<FieldValue> items) => Set(key, FieldValue.FromList(items));

    /// <summary>Sets fields below a key; others that are there stay.</summary>
    public void SetMembers(string key, params ReadOnlySpan<Field> members)
    {
        foreach (var member in members)
        {
            Set($"{key}.{member.Key}", member.Value);
        }
    }

    /// <summary>Adds to a number, which begins at 0.</summary>
    public void Add(string key, FieldValue number)
    {
        if (FieldsFor(key) is { } list)
        {
            lock (list)
            {
                Count(HasEnded ? Misuse.Ended : list.Add(key, number));
            }
        }
    }

    /// <summary>Adds to a list, which begins empty.</summary>
    public void Append(string key, FieldValue item)
    {
        if (FieldsFor(key) is { } list)
        {
            lock (list)
            {
                Count(HasEnded ? Misuse.Ended : list.AddItem(key, item));
            }
        }
    }

    /// <summary>Sets a field to the time until the result is disposed of.</summary>
    public Timing Time(string key) => new(this, key);

    /// <summary>Marks it as failed.</summary>
    public void Fail(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        if (!keepsFields)
        {
            return;
        }
        Error = $"{error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}";
        Set("exception", error.ToString());
        span?.AddException(error).SetTag("error.type", error.GetType().FullName);
    }

    /// <summary>
    /// Appends its fields to <paramref name="target"/>, in the order in which they were first set.
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

    /// <summary>Ends it; the second time does nothing.</summary>
    public void Dispose()
    {
        if (Ambient.Value == this)
        {
            var next = Enclosing;
            while (next is { HasEnded: true })
            {
                next = next.Enclosing;
            }
            Ambient.Value = next;
        }
        End([]);
    }

    /// <summary>Ends it; the second time does nothing.</summary>
    /// <param name="first">Fields before those that were set.</param>
    /// <param name="duration">Where it was measured already; null for until now.</param>
    public void End(ReadOnlySpan<Field> first, TimeSpan? duration = null)
    {
        // Operations of an exporter itself would be exported, and so on forever.
        if (Interlocked.Exchange(ref hasEnded, 1) != 0 || !IsRead || OperationSource.IsExporting)
        {
            return;
        }
        var took = duration ?? Stopwatch.GetElapsedTime(started);
        var all = fields is { } own ? Join(first, own) : first;
        var key = OperationKey.Of(Type, all);
        Telemetry.Statistics?.Record(key, took);
        if (IsRecorded || Telemetry.HasTimers)
        {
            var record = ToRecord(key, all, took);
            if (span is not null)
            {
                OperationSpan.End(span, record);
            }
            Telemetry.Post(record);
        }
    }

    /// <summary>Starts its activity, if its trace is sampled.</summary>
    internal void BeginSpan(ActivitySource spans)
    {
        // In a trace that is not sampled, the trace contexts of its operations are rarely needed.
        if (OperationSource.IsExporting || Enclosing is { IsSpan: false })
        {
            return;
        }
        if (Enclosing is null)
        {
            decision = TraceContext.Decide(remote, Telemetry.TraceProbability);
            if (decision == TraceDecision.Dropped)
            {
                return;
            }
        }
        var place = MakeTrace();
        span = OperationSpan.Begin(spans, ref place, this, startTime);
        trace = new(place);
    }

    /// <summary>The random number of the sampling decision for all children of a type, from 0 to below 1.</summary>
    internal double DecisionFor(string type)
    {
        var numbers = decisions
            ?? Interlocked.CompareExchange(ref decisions, new(StringComparer.Ordinal), null) ?? decisions;
        return numbers.GetOrAdd(type, static _ => TraceContext.NextRandom());
    }

    // Relative to the enclosing operation, so that it lies within that one, even when the system clock is set.
    private DateTime StartTime(Operation? enclosing) => enclosing is { startTime.Ticks: > 0 }
        ? enclosing.startTime + Stopwatch.GetElapsedTime(enclosing.started, started)
        : DateTime.UtcNow;

    // Null when the field is not to be set.
    private FieldList? FieldsFor(string? key)
    {
        if (!keepsFields)
        {
            return null;
        }
        if (key is null || IsReserved(key))
        {
            Misuse.Count(key is null ? "no-key" : "reserved");
            return null;
        }
        return fields ?? Interlocked.CompareExchange(ref fields, new FieldList(), null) ?? fields;
    }

    private bool IsReserved(ReadOnlySpan<char> key)
    {
        if (Reserved is null)
        {
            return false;
        }
        var dot = key.IndexOf('.');
        return Reserved.GetAlternateLookup<ReadOnlySpan<char>>().Contains(dot < 0 ? key : key[..dot]);
    }

    private static ReadOnlySpan<Field> Join(ReadOnlySpan<Field> first, FieldList own)
    {
        // The lock waits for a concurrent Set that checked HasEnded before the end. Later ones are ignored.
        lock (own)
        {
            if (first.IsEmpty)
            {
                return own.Items;
            }
            var all = threadFields ??= new FieldList();
            all.Clear();
            all.Append(first);
            foreach (var field in own.Items)
            {
                Count(all.Set(field.Key, field.Value));
            }
            return all.Items;
        }
    }

    private static void Count(string? misuse)
    {
        if (misuse is not null)
        {
            Misuse.Count(misuse);
        }
    }

    // A record that is only counted and timed has no fields, to keep little in memory while it is queued.
    private OperationRecord ToRecord(OperationKey key, ReadOnlySpan<Field> all, TimeSpan took) => new()
    {
        Id = Id,
        Type = Type,
        Key = key,
        Kind = Kind,
        Start = startTime,
        Duration = took,
        Fields = IsRecorded ? all.ToArray() : [],
        Operation = IsRecorded ? this : null,
        Span = span,
        IsEvent = IsEvent,
        Error = Error,
    };

    private ActivityTraceId FindTraceId() =>
        Enclosing is { } parent ? parent.Trace.TraceId : remote?.TraceId ?? ActivityTraceId.CreateRandom();

    private TraceContext MakeTrace() => Enclosing is { } parent
        ? parent.Trace.Child()
        : TraceContext.Begin(
            ActivityTraceId.CreateFromString(TraceId),
            remote,
            decision == TraceDecision.Deferred ? TraceContext.Decide(remote, Telemetry.TraceProbability) : decision);
}

/// <summary>Sets a field to the elapsed time, when it is disposed of.</summary>
/// <param name="Operation">Gets the field; null for none.</param>
/// <param name="Key">Of the field.</param>
public readonly record struct Timing(Operation? Operation, string Key) : IDisposable
{
    private readonly long started = Stopwatch.GetTimestamp();

    public void Dispose() => Operation?.Set(Key, Stopwatch.GetElapsedTime(started));
}
