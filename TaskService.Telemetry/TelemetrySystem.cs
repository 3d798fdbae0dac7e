using System.Diagnostics;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry;

/// <summary>The open exporters of a configuration; routes each finished operation to them.</summary>
public sealed class TelemetrySystem : OperationSource, IAsyncDisposable
{
    private readonly List<MeterTimer> timers = [];
    private readonly List<(ExporterSettings Settings, ExporterQueue Queue)> exporters = [];

    // The source of activities and the listener that enables it; null without an exporter of spans.
    private readonly ActivitySource? spans;
    private readonly ActivityListener? listener;

    /// <summary>Opens all exporters.</summary>
    /// <param name="settings">The exporters and the sampling of operations.</param>
    /// <param name="warn">Called when an exporter begins to drop records, and when drops have ended.</param>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public TelemetrySystem(TelemetrySettings settings, DropsWarning warn)
        : base(settings)
    {
        foreach (var (exporter, opened) in settings.Exporters.Zip(OpenAll(settings.Exporters)))
        {
            var queue = new ExporterQueue(exporter.Name, opened, exporter.Queue, warn, TimeProvider.System);
            exporters.Add((exporter, queue));
            if (opened is IMeterExporter meters)
            {
                timers.Add(new MeterTimer(exporter.Name, meters));
            }
        }
        HasEvents = Has(settings, ExporterInput.Events);
        HasTimers = Has(settings, ExporterInput.Operations);
        if (Has(settings, ExporterInput.Spans))
        {
            spans = new ActivitySource("TaskService.Telemetry");
            listener = new ActivityListener
            {
                ShouldListenTo = source => source == spans,
                // The sampling decision was made before the activity is created.
                Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
                    ActivitySamplingResult.AllDataAndRecorded,
            };
            ActivitySource.AddActivityListener(listener);
        }
    }

    /// <summary>The counts of each exporter, by its name.</summary>
    public IEnumerable<KeyValuePair<string, ExporterCounts>> Counts =>
        exporters.Select(exporter => KeyValuePair.Create(exporter.Settings.Name, exporter.Queue.Counts));

    protected internal override bool HasExporters => exporters.Count > 0;

    protected internal override bool HasEvents { get; }

    protected internal override bool HasTimers { get; }

    protected override ActivitySource? Spans => spans;

    /// <summary>Shutdown: flushes the queues, each within its exporter's timeout, and closes all exporters.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Default == this)
        {
            Default = Off;
        }
        // Before the exporters, which send the last metrics; once.
        var last = timers.ToList();
        timers.Clear();
        await Task.WhenAll(last.Select(timer => timer.DisposeAsync().AsTask())).ConfigureAwait(false);
        await Task.WhenAll(exporters.Select(exporter => exporter.Queue.DisposeAsync().AsTask())).ConfigureAwait(false);
        listener?.Dispose();
        spans?.Dispose();
    }

    private static List<IExporter> OpenAll(IReadOnlyList<ExporterSettings> exporters)
    {
        var opened = new List<IExporter>();
        try
        {
            opened.AddRange(exporters.Select(exporter => exporter.Open()));
            return opened;
        }
        catch
        {
            opened.OfType<IDisposable>().ToList().ForEach(exporter => exporter.Dispose());
            throw;
        }
    }

    protected internal override void Post(OperationRecord record)
    {
        Latest?.Add(record);
        foreach (var (exporter, queue) in exporters)
        {
            if (Wants(exporter.Input, record))
            {
                queue.Post(record);
            }
        }
    }

    private static bool Has(TelemetrySettings settings, ExporterInput input) =>
        settings.Exporters.Any(exporter => exporter.Input == input);

    private static bool Wants(ExporterInput input, OperationRecord record) => input switch
    {
        ExporterInput.Events => record.IsEvent,
        ExporterInput.Spans => record.Span is not null,
        _ => true,
    };
}
