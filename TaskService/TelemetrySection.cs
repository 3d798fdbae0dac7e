using TaskService.Configuration;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Outlets;
using TaskService.Telemetry.Outlets.Statsd;
using TaskService.Telemetry.Propagation;

namespace TaskService;

/// <summary>Reads the <c>telemetry</c> section.</summary>
internal static class TelemetrySection
{
    // One line an outlet: its type in the configuration, what it gets, and what reads its settings.
    private static readonly (string Name, OutletKind Kind)[] Kinds =
    [
        ("json", new(OutletInput.Events, ReadJson)),
        ("statsd", new(OutletInput.Operations, ReadStatsd)),
        ("otlp", new(OutletInput.Spans, OtlpSection.Read)),
    ];

    private static readonly (string, PropagationFormat)[] Formats =
    [
        ("w3c", PropagationFormat.W3C), ("b3", PropagationFormat.B3Multi), ("b3-single", PropagationFormat.B3Single),
    ];

    private static readonly (string, StatsdTagFormat)[] TagFormats =
        [("none", StatsdTagFormat.None), ("datadog", StatsdTagFormat.Datadog)];

    /// <param name="section">The <c>telemetry</c> section.</param>
    /// <param name="serviceName">Of the settings.</param>
    /// <param name="logging">Has files of its own, which no outlet may write.</param>
    public static TelemetrySettings Read(ConfigSection section, string serviceName, LogSettings logging)
    {
        var files = new HashSet<string>();
        foreach (var file in logging.Handlers.Values.Select(handler => handler.File).OfType<LogFileSettings>())
        {
            // What is taken twice is reported already.
            LoggingSettings.FirstTaken(file, files);
        }
        return Read(section, new OutletContext(serviceName, files, default));
    }

    private static TelemetrySettings Read(ConfigSection section, OutletContext context) => new()
    {
        TraceProbability = section.Number("trace-probability", 0, 0, 1),
        Propagation = section.Choice("propagation", PropagationFormat.W3C, Formats),
        Statistics = section.Flag("statistics", false),
        LogEvents = section.Flag("log-events", false),
        EventSamples = section.Section("event-samples").Sections().ToDictionary(
            type => type.Name,
            type => new Sample(type.Section.Text("of", "."), type.Section.Number("rate", 1, 0, 1))),
        Outlets =
        [
            .. section.Section("outlets").Sections().Select(outlet => ReadOutlet(outlet.Name, outlet.Section, context)),
        ],
    };

    private static OutletSettings ReadOutlet(string name, ConfigSection outlet, OutletContext context)
    {
        var kind = outlet.Choice("type", Kinds[0].Kind, Kinds);
        var queue = new OutletQueueSettings();
        var recordsMax = (int)outlet.Integer("records-max", queue.RecordsMax, 1, 1_000_000);
        var batchRecordsMax = (int)outlet.Integer("batch-records-max", queue.BatchRecordsMax, 1, 1_000_000);
        var attemptTimeMax = AttemptTimeMax(outlet, queue.AttemptTimeMax);
        var plan = kind.Read(outlet, context with { AttemptTimeMax = attemptTimeMax });
        return new OutletSettings(name, kind.Input, plan.Open, new OutletQueueSettings
        {
            RecordsMax = recordsMax,
            BytesMax = outlet.Integer("bytes-max", queue.BytesMax, 1, long.MaxValue),
            BatchRecordsMax = Math.Min(batchRecordsMax, recordsMax),
            GatherTimeMax = Milliseconds(outlet, "gather-time-max-ms", queue.GatherTimeMax),
            AttemptTimeMax = plan.AttemptTimeMax,
            AttemptsMax = (int)outlet.Integer("attempts-max", queue.AttemptsMax, 1, 1_000),
            CloseTimeMax = Milliseconds(outlet, "close-time-max-ms", queue.CloseTimeMax),
        });
    }

    /// <summary>How long an outlet may take to send something.</summary>
    public static TimeSpan AttemptTimeMax(ConfigSection section, TimeSpan fallback) =>
        Milliseconds(section, "attempt-time-max-ms", fallback);

    private static TimeSpan Milliseconds(ConfigSection section, string key, TimeSpan fallback) =>
        TimeSpan.FromMilliseconds(section.Integer(key, (long)fallback.TotalMilliseconds, 1, 600_000));

    private static OutletPlan ReadJson(ConfigSection outlet, OutletContext context)
    {
        var path = outlet.Text("path", "");
        var file = new LogFileSettings(
            path,
            outlet.Integer("max-bytes", 10 * 1024 * 1024, 0, long.MaxValue),
            (int)outlet.Integer("backup-count", 3, 0, 1_000));
        if (LoggingSettings.FirstTaken(file, context.Files) is { } taken)
        {
            outlet.Problem("path", $"\"{taken}\" is already written by another outlet or log handler");
        }
        return new OutletPlan(
            () => path.Length == 0 ? JsonEventOutlet.ToConsole() : JsonEventOutlet.ToFile(file),
            context.AttemptTimeMax);
    }

    private static OutletPlan ReadStatsd(ConfigSection outlet, OutletContext context)
    {
        if (!StatsdSettings.TryParse(outlet.Text("address", "localhost"), out var host, out var port, out var error))
        {
            outlet.Problem("address", $"must be a host, or a host and a port: {error}");
        }
        var settings = new StatsdSettings(
            host,
            port,
            outlet.Text("prefix", ""),
            outlet.Choice("tags", StatsdTagFormat.None, TagFormats),
            (int)outlet.Integer("packet-bytes-max", 1_432, 512, 65_507))
        {
            MetersInterval = Milliseconds(outlet, "meters-interval-ms", TimeSpan.FromSeconds(10)),
        };
        var meters = outlet.Texts("meters", ["TaskService"]);
        return new OutletPlan(
            () => new StatsdOutlet(settings, new MeterReader(meters)), context.AttemptTimeMax);
    }

    private sealed record OutletKind(OutletInput Input, Func<ConfigSection, OutletContext, OutletPlan> Read);
}

/// <summary>What outlets need to know besides their own settings.</summary>
/// <param name="ServiceName">Of the settings.</param>
/// <param name="Files">That are written already.</param>
/// <param name="AttemptTimeMax">How long the outlet may take to send a batch.</param>
internal sealed record OutletContext(string ServiceName, HashSet<string> Files, TimeSpan AttemptTimeMax);

/// <summary>How an outlet is opened.</summary>
/// <param name="Open">Makes it.</param>
/// <param name="AttemptTimeMax">How long it may take to send a batch: that of the context, or one of its own.</param>
internal sealed record OutletPlan(Func<IOutlet> Open, TimeSpan AttemptTimeMax);
