using TaskService.Telemetry;

namespace TaskService.Tests.Support;

/// <summary>Finished operations to test with.</summary>
internal static class SomeRecord
{
    public static OperationRecord Of(string type, TimeSpan duration, params Field[] fields) => new()
    {
        Id = "1",
        Type = type,
        Start = new DateTime(2026, 11, 20, 15, 29, 2, DateTimeKind.Utc),
        Duration = duration,
        Fields = fields,
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
