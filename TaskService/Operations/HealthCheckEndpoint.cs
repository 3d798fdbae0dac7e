using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Http;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// <c>health_check</c>: every check of the service up to a level, with reasons, for monitoring and for people. The
/// parameters are <c>max_level</c> (default 1) and <c>checks</c> (names with commas between them; empty for all).
/// </summary>
internal static class HealthCheckEndpoint
{
    /// <summary>Those of 0 tell only that the service answers, those of 1 whether it works.</summary>
    private const int UsualLevel = 1;

    public static void MapHealthCheck(this IEndpointRouteBuilder operations) =>
        operations.MapGet("/health_check", async (
            HttpRequest request, HealthChecks checks, OperationsSettings settings) =>
        {
            Operation.Current!.Level = LogLevel.Debug;
            return Select(request, checks.All, out var selected) is { } problem
                ? problem
                : Result(selected, await Task.WhenAll(selected.Select(checks.RunAsync)), settings.HasTraces);
        });

    /// <returns>What is wrong with the query; null when nothing is.</returns>
    private static ApiResult? Select(
        HttpRequest request,
        IReadOnlyList<HealthCheckRegistration> all,
        out IReadOnlyList<HealthCheckRegistration> selected)
    {
        selected = [];
        var level = UsualLevel;
        if (request.Query["max_level"] is { Count: > 0 } levels
            && (levels.Count > 1 || !int.TryParse(levels, NumberStyles.None, CultureInfo.InvariantCulture, out level)))
        {
            return Problem.InvalidQuery("max_level must be one whole number from 0 on.");
        }
        var names = request.Query["checks"].SelectMany(
            list => list!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        var known = all.Select(check => check.Name).ToList();
        if (names.Except(known).ToList() is { Count: > 0 })
        {
            return Problem.InvalidQuery($"checks must be names out of: {string.Join(", ", known)}.");
        }
        selected =
        [
            .. all.Where(check => HealthChecks.LevelOf(check) <= level)
                .Where(check => names.Count == 0 || names.Contains(check.Name)),
        ];
        return null;
    }

    private static ApiResult Result(
        IReadOnlyList<HealthCheckRegistration> checks, IReadOnlyList<HealthReportEntry> results, bool hasTraces)
    {
        var all = checks.Zip(results).ToList();
        var failures = all.FindAll(one => one.Second.Status == HealthStatus.Unhealthy);
        var status = failures.Count == 0
            ? StatusCodes.Status200OK : StatusCodes.Status500InternalServerError;
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body, StrictJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("status", status);
            json.WriteStartArray("successes");
            foreach (var (check, _) in all.Except(failures))
            {
                json.WriteStringValue(check.Name);
            }
            json.WriteEndArray();
            json.WriteStartObject("failures");
            foreach (var (check, result) in failures)
            {
                json.WriteStartObject(check.Name);
                json.WriteString("message", result.Description ?? result.Exception?.Message ?? "unhealthy");
                json.WriteNumber("level", HealthChecks.LevelOf(check));
                if (hasTraces && result.Exception is { } error)
                {
                    json.WriteString("stacktrace", $"{error}");
                }
                json.WriteEndObject();
            }
            json.WriteEndObject();
            json.WriteStartObject("timings");
            foreach (var (check, result) in all)
            {
                json.WriteNumber(check.Name, Math.Round(result.Duration.TotalSeconds, 6));
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return new ApiResult { Status = status, Body = body.WrittenMemory };
    }
}

/// <summary>
/// Runs the checks that are registered with the framework, in parallel, each with a timeout. Who asks while one runs,
/// or within a second after that, gets the same result.
/// </summary>
internal sealed class HealthChecks(
    HealthCheckService service, IOptions<HealthCheckServiceOptions> options, TimeProvider time)
{
    private const string LevelTag = "level:";

    private static readonly TimeSpan UsualTimeMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Run> runs = [];

    /// <summary>In the order of their registration.</summary>
    public IReadOnlyList<HealthCheckRegistration> All => [.. options.Value.Registrations];

    /// <summary>
    /// The tag that gives a check its level, such as <c>level:2</c>. Readiness ignores checks with one.
    /// </summary>
    public static string Level(int level) => $"{LevelTag}{level.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Whether the check decides if the service gets requests.</summary>
    public static bool IsOfReadiness(HealthCheckRegistration check) => TagOf(check) is null;

    public static int LevelOf(HealthCheckRegistration check) => TagOf(check) is { } tag
        && int.TryParse(tag[LevelTag.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var level)
            ? level : 1;

    public Task<HealthReportEntry> RunAsync(HealthCheckRegistration check)
    {
        lock (gate)
        {
            if (runs.TryGetValue(check.Name, out var last)
                && (!last.Result.IsCompleted || time.GetElapsedTime(last.Ended) < Age))
            {
                return last.Result;
            }
            var run = runs[check.Name] = new Run();
            if (last is { Work.IsCompleted: false })
            {
                // It ignores its token. Another one would only be one more.
                (run.Work, run.Ended) = (last.Work, time.GetTimestamp());
                run.Result = Task.FromResult(Failed("it still runs since an earlier request", TimeSpan.Zero));
            }
            else
            {
                run.Result = StartAsync(check, run);
            }
            return run.Result;
        }
    }

    private async Task<HealthReportEntry> StartAsync(HealthCheckRegistration check, Run run)
    {
        var started = time.GetTimestamp();
        var timeMax = check.Timeout == Timeout.InfiniteTimeSpan ? UsualTimeMax : check.Timeout;
        using var cancel = new CancellationTokenSource(timeMax, time);
        try
        {
            // Not on the caller's thread: a check may compute before it waits.
            var work = Task.Run(
                () => service.CheckHealthAsync(one => one == check, cancel.Token), CancellationToken.None);
            run.Work = work;
            var entry = (await work.WaitAsync(timeMax, time)).Entries[check.Name];
            return entry.Exception is OperationCanceledException ? Late() : entry;
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            return Late();
        }
        catch (Exception error)
        {
            return Failed(error.Message, time.GetElapsedTime(started));
        }
        finally
        {
            run.Ended = time.GetTimestamp();
        }

        HealthReportEntry Late() =>
            Failed($"it did not answer within {timeMax.TotalMilliseconds} ms", time.GetElapsedTime(started));
    }

    private static HealthReportEntry Failed(string message, TimeSpan duration) =>
        new(HealthStatus.Unhealthy, message, duration, null, null);

    private static string? TagOf(HealthCheckRegistration check) =>
        check.Tags.FirstOrDefault(tag => tag.StartsWith(LevelTag, StringComparison.Ordinal));

    private sealed class Run
    {
        public Task<HealthReportEntry> Result { get; set; } = null!;

        /// <summary>What may still go on after its time is over.</summary>
        public Task Work { get; set; } = Task.CompletedTask;

        public long Ended { get; set; }
    }
}
