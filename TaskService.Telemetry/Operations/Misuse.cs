using System.Diagnostics.Metrics;

namespace TaskService.Telemetry.Operations;

/// <summary>Counts invalid uses of operations. They are no errors: telemetry never breaks a request.</summary>
internal static class Misuse
{
    public const string Ended = "ended";

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Ignored = Meter.CreateCounter<long>(
        "taskservice.operation.ignored", "{change}", "Changes of operations that were ignored, by reason.");

    public static void Count(string reason) =>
        Ignored.AddSafely(1, new KeyValuePair<string, object?>("reason", reason));
}
