using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// Levels of loggers that were set while running. Each has an end, when what was there before is put back, or lasts
/// until the process ends.
/// </summary>
internal sealed class LogLevelOverrides : IDisposable
{
    /// <summary>How many loggers may have a level of their own at once.</summary>
    public const int OverridesMax = 100;

    private readonly LogLevels levels;
    private readonly IOptionsMonitor<LoggerFilterOptions> options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Lock gate = new();
    private readonly ITimer timer;

    // A logger may have both: when the one that ends does, the other one applies again.
    private readonly SortedDictionary<string, LogLevel> lasting = new(StringComparer.OrdinalIgnoreCase);
    private readonly SortedDictionary<string, (LogLevel Level, DateTimeOffset Until)> ending =
        new(StringComparer.OrdinalIgnoreCase);

    public LogLevelOverrides(
        LogLevels levels, IOptionsMonitor<LoggerFilterOptions> options, TimeProvider time, ILoggerFactory loggers)
    {
        (this.levels, this.options, this.time) = (levels, options, time);
        logger = loggers.CreateLogger(LoggingSettings.LoggerName);
        // It is made during the first request of an operator, whose id its lines must not have.
        using var outside = ExecutionContext.SuppressFlow();
        timer = time.CreateTimer(_ => EndOverdue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>All of them, by the names of loggers.</summary>
    public IReadOnlyList<(string Name, LogLevel Level, DateTimeOffset? Until)> All
    {
        get
        {
            lock (gate)
            {
                return
                [
                    .. Current().Select(level => (
                        level.Key,
                        level.Value,
                        ending.TryGetValue(level.Key, out var own) ? own.Until : (DateTimeOffset?)null)),
                ];
            }
        }
    }

    /// <summary>Sets the level of a logger, or takes away what was set.</summary>
    /// <param name="name">Of the logger.</param>
    /// <param name="level">Null to take it away.</param>
    /// <param name="duration">How long; null for as long as the process lives.</param>
    /// <param name="ip">Who does it.</param>
    /// <returns>False when there are too many already; nothing was changed then.</returns>
    public bool TrySet(string name, LogLevel? level, TimeSpan? duration, string? ip)
    {
        lock (gate)
        {
            if (level is not null && !lasting.ContainsKey(name) && !ending.ContainsKey(name)
                && Current().Count >= OverridesMax)
            {
                return false;
            }
            var until = duration is { } length ? time.GetUtcNow() + length : (DateTimeOffset?)null;
            Change(name, level, until, ip, () =>
            {
                ending.Remove(name);
                if (level is { } some && until is { } end)
                {
                    ending.Add(name, (some, end));
                    return;
                }
                lasting.Remove(name);
                if (level is { } other)
                {
                    lasting.Add(name, other);
                }
            });
        }
        return true;
    }

    public void Dispose() => timer.Dispose();

    private void EndOverdue()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            foreach (var (name, _) in ending.Where(one => one.Value.Until <= now).ToList())
            {
                LogLevel? before = lasting.TryGetValue(name, out var level) ? level : null;
                Change(name, before, null, null, () => ending.Remove(name));
            }
            StartTimer();
        }
    }

    private void Change(string name, LogLevel? level, DateTimeOffset? until, string? ip, Action change)
    {
        var from = LogLevels.Own(options.CurrentValue, name);
        if (level == LogLevel.None)
        {
            // It may be the end of the very logger that says so.
            Log(name, from, level, until, ip);
        }
        change();
        StartTimer();
        levels.Override(Current());
        if (level != LogLevel.None)
        {
            Log(name, from, LogLevels.Own(options.CurrentValue, name), until, ip);
        }
    }

    private SortedDictionary<string, LogLevel> Current()
    {
        var all = new SortedDictionary<string, LogLevel>(lasting, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, (level, _)) in ending)
        {
            all[name] = level;
        }
        return all;
    }

    private void StartTimer()
    {
        var due = Timeout.InfiniteTimeSpan;
        if (ending.Count > 0)
        {
            var left = ending.Values.Min(one => one.Until) - time.GetUtcNow();
            due = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
        timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    private void Log(string name, LogLevel? from, LogLevel? to, DateTimeOffset? until, string? ip)
    {
        var fields = new FieldList();
        if (Operation.Current is { } operation)
        {
            fields.Append("req_id", operation.Id);
        }
        fields.Append(
            LogEvent.Message,
            $"Logging of {name} changed from {LogLevels.NameOf(from)} to {LogLevels.NameOf(to)}");
        if (until is { } end)
        {
            fields.Append("until", LogLevelEndpoint.TextOf(end));
        }
        if (ip is null)
        {
            fields.Append("reason", "its time is over");
        }
        else
        {
            fields.Append("ip", ip);
        }
        LogFields.Write(logger, LogLevel.Critical, fields);
    }
}
