using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Operations;

namespace TaskService.Tests.Exporters;

/// <summary>Records that are told apart by their ids, which are numbers.</summary>
internal static class SomeRecords
{
    public static void Post(ExporterQueue queue, int first, int last)
    {
        foreach (var id in Ids(first, last))
        {
            queue.Post(WithId(id));
        }
    }

    public static IEnumerable<string> Ids(int first, int last) =>
        Enumerable.Range(first, last - first + 1).Select(id => $"{id}");

    public static OperationRecord WithId(string id) => new()
    {
        Id = id,
        Type = "request",
        Start = DateTime.UnixEpoch,
        Duration = TimeSpan.Zero,
        Fields = [],
    };
}
