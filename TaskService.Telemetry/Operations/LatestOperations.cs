using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// The records of the latest operations, with their fields. They are kept from the first read on, until there was no
/// read for a while: where nobody reads, an operation costs no more than without this. Safe for use by several threads
/// at once.
/// </summary>
public sealed class LatestOperations(TimeProvider time)
{
    /// <summary>Requests of one read; the latest.</summary>
    public const int RequestsMax = 200;

    /// <summary>Records that are kept, of requests and what they have done; beyond, the oldest are removed.</summary>
    public const int RecordsMax = 4_096;

    /// <summary>Their bytes, an estimate as that of a queue; beyond, the oldest are removed.</summary>
    public const long BytesMax = 4 * 1024 * 1024;

    /// <summary>How long records are kept that nobody reads.</summary>
    public static readonly TimeSpan UnreadTimeMax = TimeSpan.FromSeconds(60);

    private readonly Lock gate = new();
    private readonly Queue<(long Number, OperationRecord Record)> kept = new();
    private volatile bool isRead;
    private long readAt;
    private long bytes;
    private long last;

    /// <summary>Whether records are kept now.</summary>
    public bool IsRead => isRead;

    /// <summary>Keeps a record, if it has its fields.</summary>
    public void Add(OperationRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        // One that began before the first read has no start.
        if (!isRead || record.Operation is null || record.Start == default)
        {
            return;
        }
        lock (gate)
        {
            if (time.GetElapsedTime(readAt) > UnreadTimeMax)
            {
                isRead = false;
                Clear();
                return;
            }
            kept.Enqueue((++last, record));
            bytes += record.BytesEstimate;
            while (kept.Count > RecordsMax || bytes > BytesMax)
            {
                bytes -= kept.Dequeue().Record.BytesEstimate;
            }
        }
    }

    /// <summary>
    /// The requests that have ended since an earlier read, the oldest first, without those whose line is below
    /// information, such as probes. The number is the one to read after the next time.
    /// </summary>
    /// <param name="after">The number of the earlier read; 0 for all that are kept.</param>
    public (long Last, IReadOnlyList<LatestRequest> Requests) Read(long after)
    {
        List<(long Number, OperationRecord Record)> all;
        long number;
        lock (gate)
        {
            if (!isRead || time.GetElapsedTime(readAt) > UnreadTimeMax)
            {
                Clear();
            }
            readAt = time.GetTimestamp();
            isRead = true;
            all = [.. kept];
            number = last;
        }
        var operations = all.ToLookup(one => OperationName.Outermost(one.Record.Operation));
        var requests = all
            .Where(one => one.Number > after && IsShown(one.Record.Operation!))
            .TakeLast(RequestsMax)
            .Select(one => new LatestRequest(
                one.Number,
                one.Record,
                [
                    .. operations[one.Record.Operation]
                        .Select(each => (each.Record, Depth: DepthOf(each.Record.Operation!)))
                        .OrderBy(each => each.Record.Start).ThenBy(each => each.Depth),
                ]));
        return (number, [.. requests]);
    }

    private static bool IsShown(Operation operation) =>
        operation is { Enclosing: null, Type: "request", Level: null or >= LogLevel.Information };

    private static int DepthOf(Operation operation)
    {
        var depth = 0;
        for (var each = operation.Enclosing; each is not null; each = each.Enclosing)
        {
            depth++;
        }
        return depth;
    }

    private void Clear()
    {
        kept.Clear();
        bytes = 0;
    }
}

/// <summary>A request that has ended, and what it has done.</summary>
/// <param name="Number">Higher than that of each request that ended before.</param>
/// <param name="Request">Its record.</param>
/// <param name="Operations">Itself and all in it, in the order of their start; how many enclose it.</param>
public sealed record LatestRequest(
    long Number, OperationRecord Request, IReadOnlyList<(OperationRecord Record, int Depth)> Operations);
