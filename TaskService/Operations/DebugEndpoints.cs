using System.Globalization;
using System.Runtime;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Diagnostics.NETCore.Client;
using TaskService.Configuration;
using TaskService.Http;

namespace TaskService.Operations;

/// <summary><c>debug/*</c>: where the process is and what it holds, and trials of what is around the service.</summary>
internal static class DebugEndpoints
{
    private const int SleepMillisecondsMax = 60_000;
    private const int SecretCharactersMin = 8;
    private const string Masked = "***";

    private static readonly string[] Generations = ["0", "1", "2", "large", "pinned"];

    public static void MapDebug(this IEndpointRouteBuilder operations)
    {
        var debug = operations.MapGroup("/debug");
        debug.MapGet("/stacks", (CancellationToken cancel) => StacksAsync(cancel));
        debug.MapGet("/memory", Memory);
        debug.MapGet("/headers", (HttpContext http) => Headers(http));
        debug.MapGet("/sleep", (HttpContext http, TimeProvider time, CancellationToken cancel) =>
            SleepAsync(http.Request.Query, time, cancel));
        debug.MapGet("/error", IResult () =>
            throw new InvalidOperationException("An operator asked for this error, to try alerting."));
    }

    private static async Task<IResult> StacksAsync(CancellationToken cancel)
    {
        try
        {
            return Results.Text(await ThreadStacks.CaptureAsync().WaitAsync(cancel), "text/plain", Encoding.UTF8);
        }
        catch (ServerNotAvailableException)
        {
            return (ApiResult)new Problem(
                StatusCodes.Status501NotImplemented,
                "Diagnostics are switched off",
                "They are there when DOTNET_EnableDiagnostics and DOTNET_EnableDiagnostics_IPC are not 0, and the "
                + "folder of temporary files can be written.");
        }
    }

    private static ApiResult Memory()
    {
        var collection = GC.GetGCMemoryInfo(GCKind.Any);
        var generations = new JsonObject();
        foreach (var (index, name) in Generations.Index())
        {
            // There is nothing to say before the first collection.
            var generation = collection.GenerationInfo.Length > index ? collection.GenerationInfo[index] : default;
            generations[name] = new JsonObject
            {
                ["size_bytes"] = generation.SizeAfterBytes,
                ["fragmented_bytes"] = generation.FragmentationAfterBytes,
                ["collections"] = index <= GC.MaxGeneration ? GC.CollectionCount(index) : null,
            };
        }
        return Json(new JsonObject
        {
            ["status"] = StatusCodes.Status200OK,
            ["working_set_bytes"] = Environment.WorkingSet,
            ["managed_bytes"] = GC.GetTotalMemory(forceFullCollection: false),
            ["allocated_bytes_total"] = GC.GetTotalAllocatedBytes(),
            // The rest is as of the last collection.
            ["heap_bytes"] = collection.HeapSizeBytes,
            ["fragmented_bytes"] = collection.FragmentedBytes,
            ["committed_bytes"] = collection.TotalCommittedBytes,
            ["pinned_objects"] = collection.PinnedObjectsCount,
            ["finalization_pending"] = collection.FinalizationPendingCount,
            ["generations"] = generations,
            ["pauses"] = new JsonObject
            {
                ["total_ms"] = Math.Round(GC.GetTotalPauseDuration().TotalMilliseconds, 3),
                ["percent"] = collection.PauseTimePercentage,
                ["last_ms"] = new JsonArray([.. collection.PauseDurations.ToArray().Select(
                    pause => (JsonNode)Math.Round(pause.TotalMilliseconds, 3))]),
            },
            ["machine"] = new JsonObject
            {
                ["limit_bytes"] = collection.TotalAvailableMemoryBytes,
                ["load_bytes"] = collection.MemoryLoadBytes,
                ["high_load_bytes"] = collection.HighMemoryLoadThresholdBytes,
            },
            ["server_gc"] = GCSettings.IsServerGC,
            ["latency_mode"] = $"{GCSettings.LatencyMode}",
        });
    }

    private static ApiResult Headers(HttpContext http)
    {
        var request = http.Request;
        var all = request.Headers.SelectMany(header => header.Value.Select(value => (header.Key, Value: value ?? "")))
            .ToList();
        // Whatever a secret is named elsewhere, such as by a proxy that copies it.
        var secrets = all.Where(header => OptionValue.IsSecret(header.Key, header.Value))
            .SelectMany(header => header.Value.Split([' ', '=', ';', ',', '&']))
            .Where(word => word.Length >= SecretCharactersMin).ToList();
        var shown = all.OrderBy(header => header.Key, StringComparer.OrdinalIgnoreCase)
            .GroupBy(header => header.Key, header => Mask(header.Key, header.Value, secrets));
        var address = http.Connection.RemoteIpAddress;
        return Json(new JsonObject
        {
            ["status"] = StatusCodes.Status200OK,
            ["ip"] = $"{(address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)}",
            ["scheme"] = request.Scheme,
            ["host"] = $"{request.Host}",
            ["protocol"] = request.Protocol,
            ["headers"] = new JsonObject(shown.Select(header =>
                KeyValuePair.Create(header.Key, (JsonNode?)string.Join(", ", header)))),
        });
    }

    private static string Mask(string name, string value, List<string> secrets) =>
        OptionValue.IsSecret(name, value) || secrets.Exists(secret => value.Contains(secret, StringComparison.Ordinal))
            ? Masked : value;

    private static async Task<ApiResult> SleepAsync(
        IQueryCollection query, TimeProvider time, CancellationToken cancel)
    {
        if (query["ms"] is not [{ } text]
            || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || milliseconds > SleepMillisecondsMax)
        {
            return Problem.InvalidQuery($"ms must be there once, a whole number from 0 to {SleepMillisecondsMax}");
        }
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), time, cancel);
        return ApiResult.NoContent;
    }

    private static ApiResult Json(JsonObject body) => new()
    {
        Status = StatusCodes.Status200OK,
        Body = Encoding.UTF8.GetBytes(body.ToJsonString()),
    };
}
