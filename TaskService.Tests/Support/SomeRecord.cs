using System.Diagnostics;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;

namespace TaskService.Tests.Support;

/// <summary>Finished operations to test with.</summary>
internal static class SomeRecord
{
    public static TraceContext Trace { get; } = new(
        ActivityTraceId.CreateFromString("4bf92f3577b34da6a3ce929d0e0e4736"),
        ActivitySpanId.CreateFromString("00f067aa0ba902b7"),
        null,
        TraceDecision.Sampled);

    public static OperationRecord Of(string type, TimeSpan duration, params Field[] fields) => new()
    {
        Id = "1",
        Type = type,
        Start = new DateTime(2026, 11, 20, 15, 29, 2, DateTimeKind.Utc),
        Duration = duration,
        Fields = fields,
        Trace = Trace,
    };

    public static OperationRecord Of(string type, params Field[] fields) =>
        Of(type, TimeSpan.FromMilliseconds(12), fields);

    public static OperationRecord Request(string route, TimeSpan? duration = null) => Of(
        "request",
        duration ?? TimeSpan.FromMilliseconds(12),
        new("method", "GET"),
        new("route", route),
        new("status", 200));
}
