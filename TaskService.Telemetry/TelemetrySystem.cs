using System.Diagnostics;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry;

/// <summary>The open exporters of a configuration; routes each finished operation to them.</summary>
public sealed class TelemetrySystem : OperationSource, IAsyncDisposable
{
    private readonly DropsWarning warn;
    private readonly Lock gate = new();
    private volatile Routes routes;
    private bool isClosed;

    // The source of activities and the listener that enables it; null until there is an exporter of spans.
    private ActivitySource? spans;
    private ActivityListener? listener;

    /// <summary>Opens all exporters.</summary>
    /// <param name="settings">The exporters and the sampling of operations.</param>
    /// <param name="warn">Called when an exporter begins to drop records, and when drops have ended.</param>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public TelemetrySystem(TelemetrySettings settings, DropsWarning warn)
        : base(settings)
    {
        this.warn = warn;
        routes = new Routes([.. OpenAll(settings.Exporters).Select(Start)]);
        ListenToSpans();
    }

    /// <summary>The counts of each exporter, by its name.</summary>
    public IEnumerable<KeyValuePair<string, ExporterCounts>> Counts =>
        routes.All.Select(exporter => KeyValuePair.Create(exporter.Settings.Name, exporter.Queue.Counts));

    protected internal override bool HasExporters => routes.All.Length > 0;

    protected internal override bool HasEvents => routes.HasEvents;

    protected internal override bool HasTimers => routes.HasTimers;

    protected override ActivitySource? Spans => routes.HasSpans ? spans : null;

    /// <summary>
    /// Changes to other exporters: opens what is new, then sends operations there, then flushes and closes those that
    /// are not there any more, each within its timeout. No record is lost but those that an exporter that is taken away
    /// cannot send, which are counted as dropped.
    /// </summary>
    /// <param name="exporters">All that are to be there.</param>
    /// <param name="isSame">Whether the one of this name is as it was, and stays open.</param>
    /// <param name="opened">Called when all are open; when it throws, nothing has changed.</param>
    /// <exception cref="IOException">A file cannot be written, and nothing has changed.</exception>
    public async Task ApplyAsync(
        IReadOnlyList<ExporterSettings> exporters, Predicate<string> isSame, Action opened)
    {
        ArgumentNullException.ThrowIfNull(exporters);
        ArgumentNullException.ThrowIfNull(opened);
        var before = routes.All;
        var kept = before.Where(one => isSame(one.Settings.Name)
            && exporters.Any(next => next.Name == one.Settings.Name)).ToList();
        var next = OpenAll(exporters.Where(one => !kept.Exists(same => same.Settings.Name == one.Name)));
        try
        {
            opened();
        }
        catch
        {
            CloseUnused(next.Select(one => one.Exporter));
            throw;
        }
        IEnumerable<OpenExporter> unused;
        lock (gate)
        {
            var started = next.Select(Start).ToList();
            unused = isClosed ? started : before.Except(kept);
            routes = isClosed ? routes : new Routes([.. kept, .. started]);
            ListenToSpans();
        }
        await Task.WhenAll(unused.Select(exporter => exporter.CloseAsync())).ConfigureAwait(false);
    }

    /// <summary>Shutdown: flushes the queues, each within its exporter's timeout, and closes all exporters.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Default == this)
        {
            Default = Off;
        }
        lock (gate)
        {
            isClosed = true;
        }
        await Task.WhenAll(routes.All.Select(exporter => exporter.CloseAsync())).ConfigureAwait(false);
        listener?.Dispose();
        spans?.Dispose();
    }

    protected internal override void Post(OperationRecord record)
    {
        Latest?.Add(record);
        foreach (var exporter in routes.All)
        {
            if (Wants(exporter.Settings.Input, record) && !exporter.Queue.TryPost(record))
            {
                PostToSuccessor(exporter, record);
            }
        }
    }

    // An exporter was closed, which follows upon its replacement. With no successor it counts the record as dropped.
    private void PostToSuccessor(OpenExporter exporter, OperationRecord record)
    {
        var next = Array.Find(routes.All, one => one.Settings.Name == exporter.Settings.Name);
        if (next is null || next == exporter)
        {
            exporter.Queue.Post(record);
        }
        else if (!next.Queue.TryPost(record))
        {
            PostToSuccessor(next, record);
        }
    }

    private static List<(ExporterSettings Settings, IExporter Exporter)> OpenAll(
        IEnumerable<ExporterSettings> exporters)
    {
        var opened = new List<(ExporterSettings, IExporter Exporter)>();
        try
        {
            opened.AddRange(exporters.Select(exporter => (exporter, exporter.Open())));
            return opened;
        }
        catch
        {
            CloseUnused(opened.Select(one => one.Exporter));
            throw;
        }
    }

    private static void CloseUnused(IEnumerable<IExporter> exporters)
    {
        foreach (var exporter in exporters.OfType<IDisposable>())
        {
            exporter.Dispose();
        }
    }

    private OpenExporter Start((ExporterSettings Settings, IExporter Exporter) opened)
    {
        var (settings, exporter) = opened;
        return new OpenExporter(
            settings,
            new ExporterQueue(settings.Name, exporter, settings.Queue, warn, TimeProvider.System),
            exporter is IMeterExporter meters ? new MeterTimer(settings.Name, meters) : null);
    }

    private void ListenToSpans()
    {
        if (!routes.HasSpans || spans is not null)
        {
            return;
        }
        var source = spans = new ActivitySource("TaskService.Telemetry");
        listener = new ActivityListener
        {
            ShouldListenTo = other => other == source,
            // The sampling decision was made before the activity is created.
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
    }

    private static bool Wants(ExporterInput input, OperationRecord record) => input switch
    {
        ExporterInput.Events => record.IsEvent,
        ExporterInput.Spans => record.Span is not null,
        _ => true,
    };

    private sealed class OpenExporter(ExporterSettings settings, ExporterQueue queue, MeterTimer? timer)
    {
        private readonly Lock gate = new();
        private Task? closing;

        public ExporterSettings Settings => settings;

        public ExporterQueue Queue => queue;

        /// <summary>Once.</summary>
        public Task CloseAsync()
        {
            lock (gate)
            {
                return closing ??= CloseOnceAsync();
            }
        }

        private async Task CloseOnceAsync()
        {
            if (timer is not null)
            {
                // Before the exporter, which sends the last metrics.
                await timer.DisposeAsync().ConfigureAwait(false);
            }
            await queue.CloseAsync().ConfigureAwait(false);
        }
    }

    private sealed record Routes(OpenExporter[] All)
    {
        public bool HasEvents { get; } = Has(All, ExporterInput.Events);

        public bool HasTimers { get; } = Has(All, ExporterInput.Operations);

        public bool HasSpans { get; } = Has(All, ExporterInput.Spans);

        private static bool Has(OpenExporter[] all, ExporterInput input) =>
            Array.Exists(all, exporter => exporter.Settings.Input == input);
    }
}
