using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Exporters.Statsd;

namespace TaskService.Configuration;

/// <summary>Reads the settings of an exporter of type <c>statsd</c>.</summary>
internal static class StatsdSection
{
    private static readonly (string, StatsdTagFormat)[] TagFormats =
        [("none", StatsdTagFormat.None), ("datadog", StatsdTagFormat.Datadog)];

    public static ExporterPlan Read(ConfigSection exporter, ExporterContext context)
    {
        if (!StatsdSettings.TryParse(exporter.Text("address", "localhost"), out var host, out var port, out var error))
        {
            exporter.Problem("address", $"must be a host, or a host and a port: {error}");
        }
        var settings = new StatsdSettings(
            host,
            port,
            exporter.Text("prefix", ""),
            exporter.Choice("tags", StatsdTagFormat.None, TagFormats),
            (int)exporter.Integer("packet-bytes-max", 1_432, 512, 65_507))
        {
            MetersInterval = TelemetrySection.Milliseconds(exporter, "meters-interval-ms", TimeSpan.FromSeconds(10)),
        };
        var meters = exporter.Texts("meters", ["TaskService"]);
        return new ExporterPlan(
            () => new StatsdExporter(settings, new MeterReader(meters)), context.AttemptTimeMax);
    }
}
