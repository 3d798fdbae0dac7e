using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using TaskService.Http;
using TaskService.Telemetry;
using TaskService.Telemetry.Exporters.Prometheus;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// <c>stats.json</c>: durations of operations, counters and gauges since the start or the last reset, the counts of
/// exporters and log handlers, and the state of the runtime.
/// </summary>
internal static class StatisticsEndpoint
{
    private const string Reset = "reset";

    public static void MapStatistics(this IEndpointRouteBuilder operations)
    {
        var services = operations.ServiceProvider;
        var telemetry = services.GetRequiredService<TelemetrySystem>();
        var meters = services.GetRequiredService<PrometheusMeters>();
        var logs = services.GetServices<ILoggerProvider>().OfType<LogSystem>().ToList();
        var time = services.GetRequiredService<TimeProvider>();
        var gate = new Lock();
        var since = time.GetUtcNow();

        operations.MapGet("/stats.json", ApiResult (HttpContext http) =>
        {
            Operation.Current!.Level = LogLevel.Debug;
            if (http.Request.Query[Reset] is not ([] or ["0"] or ["1"]) and var other)
            {
                return Problem.InvalidQuery($"{Reset} must be 0 or 1, not \"{other}\"");
            }
            // The response of HEAD shows nothing, so it clears nothing.
            var isReset = http.Request.Query[Reset] == "1" && HttpMethods.IsGet(http.Request.Method);
            var statistics = telemetry.Statistics!;
            Counted counted;
            lock (gate)
            {
                counted = new Counted(
                    isReset ? statistics.Take() : statistics.Snapshot(), meters.Read(isReset), since);
                since = isReset ? time.GetUtcNow() : since;
            }
            return new ApiResult
            {
                Status = StatusCodes.Status200OK,
                Body = ToJson(counted, telemetry, logs.SelectMany(system => system.Dropped)),
            };
        });
    }

    /// <summary>
    /// A name as one text, by the rule of c2cwsgiutils: parts are joined by slashes, and a slash in a part is an
    /// underscore. A route is its segments, each a part.
    /// </summary>
    public static string KeyOf(MetricName name) =>
        name is { Parts: ["route"], Tags: [var method, var route, var status] }
            ? $"route/{method.Value}/{route.Value.TrimStart('/')}/{status.Value}"
            : string.Join('/', name.Flat.Select(part => part.Replace('/', '_')));

    private static ReadOnlyMemory<byte> ToJson(
        Counted counted, TelemetrySystem telemetry, IEnumerable<KeyValuePair<string, long>> logDrops)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        json.WriteStartObject();
        WriteMembers(json, "timers", counted.Statistics.Select(one => (KeyOf(one.Name), one)), WriteTimer);
        foreach (var (member, isCounter) in ((string, bool)[])[("gauges", false), ("counters", true)])
        {
            WriteMembers(
                json,
                member,
                counted.Meters.Where(one => one.IsCounter == isCounter).Select(one => (KeyOf(one.Name), one.Value)),
                json.WriteNumberValue);
        }
        WriteMembers(json, "exporters", telemetry.Counts.Select(one => (one.Key, one.Value)), counts =>
        {
            json.WriteStartObject();
            json.WriteNumber("produced", counts.Produced);
            json.WriteNumber("sent", counts.Sent);
            json.WriteNumber("queued", counts.Queued);
            WriteMembers(json, "dropped", counts.Dropped.Select(one => (one.Key, one.Value)), json.WriteNumberValue);
            json.WriteEndObject();
        });
        WriteMembers(json, "log_drops", logDrops.Select(one => (one.Key, one.Value)), json.WriteNumberValue);
        json.WriteStartObject("runtime");
        WriteRuntime(json);
        json.WriteEndObject();
        json.WriteString("since", counted.Since.UtcDateTime);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;

        void WriteTimer(OperationStatistics timer)
        {
            json.WriteStartObject();
            json.WriteNumber("nb", timer.Count);
            json.WriteNumber("avg_ms", Rounded(timer.AverageMs));
            json.WriteNumber("min_ms", Rounded(timer.MinMs));
            json.WriteNumber("max_ms", Rounded(timer.MaxMs));
            json.WriteNumber("p50_ms", Rounded(timer.P50Ms));
            json.WriteNumber("p90_ms", Rounded(timer.P90Ms));
            json.WriteNumber("p99_ms", Rounded(timer.P99Ms));
            json.WriteEndObject();
        }
    }

    /// <summary>An object, in the order of its keys.</summary>
    private static void WriteMembers<T>(
        Utf8JsonWriter json, string name, IEnumerable<(string Key, T Value)> members, Action<T> write)
    {
        json.WriteStartObject(name);
        var keys = new HashSet<string>();
        foreach (var (key, value) in members.OrderBy(one => one.Key, StringComparer.Ordinal))
        {
            // Different names may become the same key, and no member may be there twice.
            var unique = key;
            while (!keys.Add(unique))
            {
                unique += "_";
            }
            json.WritePropertyName(unique);
            write(value);
        }
        json.WriteEndObject();
    }

    private static void WriteRuntime(Utf8JsonWriter json)
    {
        var memory = GC.GetGCMemoryInfo(GCKind.Any);
        using var process = Process.GetCurrentProcess();
        var uptime = DateTime.UtcNow - process.StartTime.ToUniversalTime();
        json.WriteNumber("uptime_s", Math.Round(uptime.TotalSeconds, 1));
        json.WriteNumber("cpu_s", Math.Round(Environment.CpuUsage.TotalTime.TotalSeconds, 3));
        json.WriteNumber("working_set_bytes", Environment.WorkingSet);
        json.WriteNumber("gc_heap_bytes", GC.GetTotalMemory(forceFullCollection: false));
        json.WriteNumber("gc_committed_bytes", memory.TotalCommittedBytes);
        json.WriteNumber("gc_allocated_bytes", GC.GetTotalAllocatedBytes());
        json.WriteNumber("gc_pause_ms", Rounded(GC.GetTotalPauseDuration().TotalMilliseconds));
        var generations = Enumerable.Range(0, GC.MaxGeneration + 1);
        WriteList("gc_collections", generations.Select(i => (long)GC.CollectionCount(i)));
        // Generations 0 to 2, large objects, pinned objects, after the last collection.
        WriteList("gc_generation_bytes", memory.GenerationInfo.ToArray().Select(info => info.SizeAfterBytes));
        json.WriteNumber("threads", process.Threads.Count);
        json.WriteNumber("thread_pool_threads", ThreadPool.ThreadCount);
        json.WriteNumber("thread_pool_queued", ThreadPool.PendingWorkItemCount);

        void WriteList(string name, IEnumerable<long> values)
        {
            json.WriteStartArray(name);
            foreach (var value in values)
            {
                json.WriteNumberValue(value);
            }
            json.WriteEndArray();
        }
    }

    private static double Rounded(double ms) => Math.Round(ms, 3);

    private readonly record struct Counted(
        IReadOnlyList<OperationStatistics> Statistics,
        IReadOnlyList<(MetricName Name, bool IsCounter, double Value)> Meters,
        DateTimeOffset Since);
}
