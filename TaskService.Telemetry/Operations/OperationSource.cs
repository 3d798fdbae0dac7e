using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Security.Cryptography;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>Starts operations, and receives the records of those that have ended.</summary>
public abstract class OperationSource
{
    private static readonly AsyncLocal<bool> Exporting = new();

    private readonly OperationSettings settings;

    protected OperationSource(OperationSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        this.settings = settings;
        if (settings.Statistics)
        {
            Statistics = new Statistics();
            Latest = new LatestOperations(TimeProvider.System);
        }
    }

    /// <summary>Telemetry that is switched off: no operation has readers.</summary>
    public static OperationSource Off { get; } = new Unread();

    /// <summary>The source of operations that start outside of any: the one that was set last.</summary>
    public static OperationSource Default { get; set; } = Off;

    /// <summary>Whether an exporter or the statistics read operations.</summary>
    public bool HasReaders => HasExporters || Statistics is not null;

    /// <summary>Counts and durations in memory; null when switched off.</summary>
    public Statistics? Statistics { get; }

    /// <summary>The latest operations, while somebody reads them; null when statistics are switched off.</summary>
    public LatestOperations? Latest { get; }

    /// <summary>Whether the latest operations are kept now, all of them and with their fields.</summary>
    internal bool HasLatest => Latest is { IsRead: true };

    /// <summary>Whether operations are counted and timed now, and nothing else.</summary>
    internal bool IsOnlyCounted => Statistics is not null && !HasExporters && !HasLatest;

    /// <summary>Whether this code runs in an exporter: its operations would be exported, and so on forever.</summary>
    internal static bool IsExporting
    {
        get => Exporting.Value;
        set => Exporting.Value = value;
    }

    /// <summary>Whether records are exported.</summary>
    protected internal abstract bool HasExporters { get; }

    /// <summary>Whether event records are exported: those that the sampling rules select.</summary>
    protected internal virtual bool HasEvents => false;

    /// <summary>Whether all operations are exported, as counts and durations.</summary>
    protected internal virtual bool HasTimers => false;

    /// <inheritdoc cref="OperationSettings.LogEvents"/>
    internal bool HasLogEvents => HasReaders && settings.LogEvents;

    /// <inheritdoc cref="OperationSettings.TraceProbability"/>
    internal double TraceProbability => settings.TraceProbability;

    /// <inheritdoc cref="OperationSettings.Propagation"/>
    internal PropagationFormat Propagation => settings.Propagation;

    /// <summary>The source of activities of sampled traces; null when spans are not exported.</summary>
    protected virtual ActivitySource? Spans => null;

    /// <summary>Starts the operation of a request, which is current from now on.</summary>
    /// <param name="id">Of the request; 1 to 128 visible ASCII characters.</param>
    /// <param name="remote">The trace context of its headers.</param>
    /// <param name="reserved">Keys of fields that are set at its end, and by no other code.</param>
    public Operation StartRequest(string id, RemoteTrace? remote, FrozenSet<string>? reserved = null)
    {
        const string type = "request";
        return Begin(new Operation(this, id, type, remote: remote, kind: ActivityKind.Server)
        {
            IsEvent = SampleOf(type)?.Decide(type, null, null) != false,
            Reserved = reserved,
        });
    }

    /// <summary>Starts an operation, which is current until it ends.</summary>
    /// <param name="name">
    /// <c>.x</c> is a child of the current operation, <c>^.x</c> of the outermost one, and has its id; another name is
    /// the type itself, and a child only of an open operation whose type it continues.
    /// </param>
    /// <param name="id">Null for that of its parent, or a new one.</param>
    /// <param name="kind">The kind of its span.</param>
    /// <param name="sample">Its sampling rule for event records; null for that of the settings, if any.</param>
    public Operation Start(
        string name, string? id = null, ActivityKind kind = ActivityKind.Internal, Sample? sample = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        var current = Operation.Current;
        if (!HasReaders && current is null)
        {
            return Operation.None;
        }
        // Without readers it is created nevertheless: fields set within it must not become those of its parent. Its
        // name is then needed only to find the parent.
        var (type, parent) = HasReaders || !name.StartsWith('.')
            ? OperationName.Resolve(name, current)
            : (name, current);
        var rule = sample ?? SampleOf(type);
        return Begin(new Operation(this, id ?? parent?.Id ?? NewId(), type, current, kind: kind)
        {
            IsEvent = parent?.IsEvent != false && rule?.Decide(type, parent, current) != false,
        });
    }

    /// <summary>Exports a record.</summary>
    protected internal abstract void Post(OperationRecord record);

    private Operation Begin(Operation operation)
    {
        if (Spans is { } spans)
        {
            operation.BeginSpan(spans);
        }
        return Operation.Current = operation;
    }

    private Sample? SampleOf(string type) =>
        settings.EventSamples.Count > 0 && settings.EventSamples.TryGetValue(type, out var sample) ? sample : null;

    /// <summary>32 lower-case hexadecimal digits, of which the first 8 are the Unix seconds: sortable by
    /// time.</summary>
    private static string NewId() => string.Create(32, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), (digits, seconds) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)seconds);
        Convert.TryToHexStringLower(bytes, digits, out _);
    });

    private sealed class Unread() : OperationSource(new OperationSettings())
    {
        protected internal override bool HasExporters => false;

        protected internal override void Post(OperationRecord record)
        {
        }
    }
}
