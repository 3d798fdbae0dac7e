using System.Diagnostics;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry;

/// <summary>The exporters of a configuration, opened, and the way of each finished operation to them.</summary>
public sealed class TelemetrySystem : OperationSource, IAsyncDisposable
{
    private readonly List<MeterTimer> timers = [];
    private readonly List<(ExporterSettings Settings, ExporterQueue Queue)> exporters = [];

    // Where activities come from, and what makes them be; null without an exporter that gets spans.
    private readonly ActivitySource? spans;
    private readonly ActivityListener? listener;

    /// <summary>Opens all exporters.</summary>
    /// <param name="settings">Which, and how.</param>
    /// <param name="warn">Is told when an exporter begins to lose records, and when that has ended.</param>
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
                // What is sampled was decided before an activity is made.
                Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
                    ActivitySamplingResult.AllDataAndRecorded,
            };
            ActivitySource.AddActivityListener(listener);
        }
    }

    protected internal override bool HasExporters => exporters.Count > 0;

    protected internal override bool HasEvents { get; }

    protected internal override bool HasTimers { get; }

    protected override ActivitySource? Spans => spans;

    /// <summary>Sends what waits, in the time that each exporter has for it, and closes all of them.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Default == this)
        {
            Default = Off;
        }
        // Before the exporters, through which they go; once.
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
