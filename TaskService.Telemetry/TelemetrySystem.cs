using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Security.Cryptography;
using TaskService.Telemetry.Outlets;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry;

/// <summary>The outlets of a configuration, opened, and the way of each finished operation to them.</summary>
public sealed class TelemetrySystem : IAsyncDisposable
{
    private readonly TelemetrySettings settings;
    private readonly List<MeterTimer> timers = [];
    private readonly List<(OutletSettings Settings, OutletQueue Queue)> outlets = [];

    // Where activities come from, and what makes them be; null without an outlet that gets spans.
    private readonly ActivitySource? spans;
    private readonly ActivityListener? listener;

    /// <summary>Opens all outlets.</summary>
    /// <param name="settings">Which, and how.</param>
    /// <param name="warn">Is told when an outlet begins to lose records, and when that has ended.</param>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public TelemetrySystem(TelemetrySettings settings, DropsWarning warn)
    {
        ArgumentNullException.ThrowIfNull(settings);
        this.settings = settings;
        foreach (var (outlet, opened) in settings.Outlets.Zip(OpenAll(settings.Outlets)))
        {
            outlets.Add((outlet, new OutletQueue(outlet.Name, opened, outlet.Queue, warn, TimeProvider.System)));
            if (opened is IMeterOutlet meters)
            {
                timers.Add(new MeterTimer(outlet.Name, meters));
            }
        }
        Statistics = settings.Statistics ? new Statistics() : null;
        HasEvents = Has(OutletInput.Events);
        HasTimers = Has(OutletInput.Operations);
        if (Has(OutletInput.Spans))
        {
            spans = new ActivitySource("TaskService.Telemetry");
            listener = new ActivityListener
            {
                ShouldListenTo = source => source == spans,
                // What is sampled was decided before an activity is made.
                Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
                    ActivitySamplingResult.AllDataAndRecorded,
            };
            ActivitySource.AddActivityListener(listener);
        }
    }

    /// <summary>Serves operations that start outside of any: the one that was set last.</summary>
    public static TelemetrySystem Default { get; set; } = new(new TelemetrySettings(), (_, _, _) => { });

    /// <summary>Nobody reads anything.</summary>
    public static TelemetrySystem Off { get; } = Default;

    /// <summary>Whether anyone reads what ends.</summary>
    public bool HasReaders => HasOutlets || Statistics is not null;

    /// <summary>What was counted and timed; null when that is switched off.</summary>
    public Statistics? Statistics { get; }

    internal bool HasOutlets => outlets.Count > 0;

    /// <summary>Whether an outlet gets what the rules for event records let through.</summary>
    internal bool HasEvents { get; }

    /// <summary>Whether an outlet counts and times all operations.</summary>
    internal bool HasTimers { get; }

    /// <inheritdoc cref="TelemetrySettings.LogEvents"/>
    internal bool HasLogEvents => HasReaders && settings.LogEvents;

    /// <inheritdoc cref="TelemetrySettings.TraceProbability"/>
    internal double TraceProbability => settings.TraceProbability;

    /// <inheritdoc cref="TelemetrySettings.Propagation"/>
    internal PropagationFormat Propagation => settings.Propagation;

    /// <summary>Starts the operation of a request, which is current from now on.</summary>
    /// <param name="id">Of the request; 1 to 128 visible ASCII characters.</param>
    /// <param name="remote">What its headers say of its trace.</param>
    /// <param name="reserved">Keys of fields that it gets with its end, which code on the way must not set.</param>
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
    /// <param name="kind">Its part in the trace.</param>
    /// <param name="sample">How many leave an event record; null for what the settings say, or all.</param>
    public Operation Start(
        string name, string? id = null, ActivityKind kind = ActivityKind.Internal, Sample? sample = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        var current = Operation.Current;
        if (!HasReaders && current is null)
        {
            return Operation.None;
        }
        // One that nobody reads is there all the same: what code sets within it must not become its parent's. Of its
        // name nothing is asked any more, but for whose child it is.
        var (type, parent) = HasReaders || !name.StartsWith('.')
            ? OperationName.Resolve(name, current)
            : (name, current);
        var rule = sample ?? SampleOf(type);
        return Begin(new Operation(this, id ?? parent?.Id ?? NewId(), type, current, kind: kind)
        {
            IsEvent = parent?.IsEvent != false && rule?.Decide(type, parent, current) != false,
        });
    }

    /// <summary>Sends what waits, in the time that each outlet has for it, and closes all of them.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Default == this)
        {
            Default = Off;
        }
        // Before the outlets, through which they go; once.
        var last = timers.ToList();
        timers.Clear();
        await Task.WhenAll(last.Select(timer => timer.DisposeAsync().AsTask())).ConfigureAwait(false);
        await Task.WhenAll(outlets.Select(outlet => outlet.Queue.DisposeAsync().AsTask())).ConfigureAwait(false);
        listener?.Dispose();
        spans?.Dispose();
    }

    private Operation Begin(Operation operation)
    {
        if (spans is not null)
        {
            operation.BeginSpan(spans);
        }
        return Operation.Current = operation;
    }

    private static List<IOutlet> OpenAll(IReadOnlyList<OutletSettings> outlets)
    {
        var opened = new List<IOutlet>();
        try
        {
            opened.AddRange(outlets.Select(outlet => outlet.Open()));
            return opened;
        }
        catch
        {
            opened.OfType<IDisposable>().ToList().ForEach(outlet => outlet.Dispose());
            throw;
        }
    }

    private Sample? SampleOf(string type) =>
        settings.EventSamples.Count > 0 && settings.EventSamples.TryGetValue(type, out var sample) ? sample : null;

    internal void Post(OperationRecord record)
    {
        foreach (var (outlet, queue) in outlets)
        {
            if (Wants(outlet.Input, record))
            {
                queue.Post(record);
            }
        }
    }

    private bool Has(OutletInput input) => settings.Outlets.Any(outlet => outlet.Input == input);

    private static bool Wants(OutletInput input, OperationRecord record) => input switch
    {
        OutletInput.Events => record.IsEvent,
        OutletInput.Spans => record.Span is not null,
        _ => true,
    };

    /// <summary>32 lower-case hexadecimal digits, of which the first 8 are the Unix seconds: in the order of
    /// time.</summary>
    private static string NewId() => string.Create(32, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), (digits, seconds) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)seconds);
        Convert.TryToHexStringLower(bytes, digits, out _);
    });
}
