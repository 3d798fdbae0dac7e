using TaskService.Telemetry;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;

namespace TaskService.Configuration;

/// <summary>Reads the <c>telemetry</c> section.</summary>
internal static class TelemetrySection
{
    /// <summary>The meters that are read by default where all of them may be.</summary>
    public static readonly string[] Meters =
        ["TaskService", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

    // One line an exporter: its type in the configuration, what it gets, and what reads its settings.
    private static readonly (string Name, ExporterKind Kind)[] Kinds =
    [
        ("json", new(ExporterInput.Events, ReadJson)),
        ("statsd", new(ExporterInput.Operations, StatsdSection.Read)),
        ("otlp", new(ExporterInput.Spans, OtlpSection.Read)),
    ];

    private static readonly (string, PropagationFormat)[] Formats =
    [
        ("w3c", PropagationFormat.W3C), ("b3", PropagationFormat.B3Multi), ("b3-single", PropagationFormat.B3Single),
    ];

    /// <param name="section">The <c>telemetry</c> section.</param>
    /// <param name="serviceName">Of the settings.</param>
    /// <param name="logging">Has files of its own, which no exporter may write.</param>
    public static TelemetrySettings Read(ConfigSection section, string serviceName, LogSettings logging)
    {
        var files = new HashSet<string>();
        foreach (var file in logging.Handlers.Values.Select(handler => handler.File).OfType<LogFileSettings>())
        {
            // What is taken twice is reported already.
            LoggingSettings.FirstTaken(file, files);
        }
        return Read(section, new ExporterContext(serviceName, files, default));
    }

    private static TelemetrySettings Read(ConfigSection section, ExporterContext context) => new()
    {
        TraceProbability = section.Number("trace-probability", 0, 0, 1),
        Propagation = section.Choice("propagation", PropagationFormat.W3C, Formats),
        Statistics = section.Flag("statistics", false),
        LogEvents = section.Flag("log-events", false),
        EventSamples = section.Section("event-samples").Sections().ToDictionary(
            type => type.Name,
            type => new Sample(type.Section.Text("of", "."), type.Section.Number("rate", 1, 0, 1))),
        Exporters =
        [
            .. section.Section("exporters").Sections()
                .Select(exporter => ReadExporter(exporter.Name, exporter.Section, context)),
        ],
    };

    private static ExporterSettings ReadExporter(string name, ConfigSection exporter, ExporterContext context)
    {
        var kind = exporter.Choice("type", Kinds[0].Kind, Kinds);
        var queue = new ExporterQueueSettings();
        var recordsMax = (int)exporter.Integer("records-max", queue.RecordsMax, 1, 1_000_000);
        var batchRecordsMax = (int)exporter.Integer("batch-records-max", queue.BatchRecordsMax, 1, 1_000_000);
        var attemptTimeMax = AttemptTimeMax(exporter, queue.AttemptTimeMax);
        var plan = kind.Read(exporter, context with { AttemptTimeMax = attemptTimeMax });
        return new ExporterSettings(name, kind.Input, plan.Open, new ExporterQueueSettings
        {
            RecordsMax = recordsMax,
            BytesMax = exporter.Integer("bytes-max", queue.BytesMax, 1, long.MaxValue),
            BatchRecordsMax = Math.Min(batchRecordsMax, recordsMax),
            BatchDelayMax = Milliseconds(exporter, "batch-delay-max-ms", queue.BatchDelayMax),
            AttemptTimeMax = plan.AttemptTimeMax,
            AttemptsMax = (int)exporter.Integer("attempts-max", queue.AttemptsMax, 1, 1_000),
            CloseTimeMax = Milliseconds(exporter, "close-time-max-ms", queue.CloseTimeMax),
        });
    }

    /// <summary>How long an exporter may take to send something.</summary>
    public static TimeSpan AttemptTimeMax(ConfigSection section, TimeSpan fallback) =>
        Milliseconds(section, "attempt-time-max-ms", fallback);

    /// <summary>A time in milliseconds, up to ten minutes.</summary>
    public static TimeSpan Milliseconds(ConfigSection section, string key, TimeSpan fallback) =>
        TimeSpan.FromMilliseconds(section.Integer(key, (long)fallback.TotalMilliseconds, 1, 600_000));

    private static ExporterPlan ReadJson(ConfigSection exporter, ExporterContext context)
    {
        var path = exporter.Text("path", "");
        var file = new LogFileSettings(
            path,
            exporter.Integer("max-bytes", 10 * 1024 * 1024, 0, long.MaxValue),
            (int)exporter.Integer("backup-count", 3, 0, 1_000));
        if (LoggingSettings.FirstTaken(file, context.Files) is { } taken)
        {
            exporter.Problem("path", $"\"{taken}\" is already written by another exporter or log handler");
        }
        return new ExporterPlan(
            () => path.Length == 0 ? JsonEventExporter.ToConsole() : JsonEventExporter.ToFile(file),
            context.AttemptTimeMax);
    }

    private sealed record ExporterKind(ExporterInput Input, Func<ConfigSection, ExporterContext, ExporterPlan> Read);
}

/// <summary>What exporters need to know besides their own settings.</summary>
/// <param name="ServiceName">Of the settings.</param>
/// <param name="Files">That are written already.</param>
/// <param name="AttemptTimeMax">How long the exporter may take to send a batch.</param>
internal sealed record ExporterContext(string ServiceName, HashSet<string> Files, TimeSpan AttemptTimeMax);

/// <summary>How an exporter is opened.</summary>
/// <param name="Open">Makes it.</param>
/// <param name="AttemptTimeMax">How long it may take to send a batch: that of the context, or one of its own.</param>
internal sealed record ExporterPlan(Func<IExporter> Open, TimeSpan AttemptTimeMax);
