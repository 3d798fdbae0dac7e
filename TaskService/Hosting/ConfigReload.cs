using TaskService.Configuration;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Hosting;

/// <summary>
/// Reads the configuration again while the service runs: log levels, handlers and exporters follow; all else is named,
/// as it needs a restart. A configuration that is wrong, or names something that cannot be opened, changes nothing.
/// </summary>
/// <param name="started">The settings of the start.</param>
/// <param name="logs">Follows.</param>
/// <param name="telemetry">Follows.</param>
/// <param name="levels">Follows; overrides stay.</param>
/// <param name="logger">Says what was done.</param>
internal sealed class ConfigReload(
    Settings started, LogSystem logs, TelemetrySystem telemetry, LogLevels levels, ILogger logger) : IDisposable
{
    private const int NamesMax = 50;
    private static readonly TimeSpan CloseTimeMax = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim gate = new(1);

    // Null until something was read again.
    private Settings? applied;

    /// <summary>Reads, checks and applies. Never throws.</summary>
    public async Task RunAsync(Func<Settings> load)
    {
        await gate.WaitAsync();
        try
        {
            var next = load();
            var changed = Changed((applied ?? started).Source.Values, next.Source.Values);
            await telemetry.ApplyAsync(
                next.Telemetry.Exporters,
                name => !changed.Any(key => IsBelow(key, $"telemetry:exporters:{name}")),
                () => logs.Apply(next.Logging));
            levels.Reload();
            applied = next;
            var left = Changed(started.Source.Values, next.Source.Values)
                .Where(key => !Follows(key, next.Logging)).ToList();
            Log(
                left.Count == 0 ? LogLevel.Information : LogLevel.Warning,
                "CONFIGURATION RELOADED",
                ("changed", Names(changed.Where(key => Follows(key, next.Logging)))),
                ("restart_for", Names(left)));
        }
        catch (Exception error)
        {
            foreach (var problem in ExitCodes.ConfigProblemsOf(error) ?? [error.Message])
            {
                Log(
                    LogLevel.Error,
                    "CONFIGURATION NOT RELOADED",
                    ("reason", ConfigProblems.OneLine(problem)));
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Waits for what runs, for five seconds at most; nothing is reloaded then.</summary>
    public Task CloseAsync() => gate.WaitAsync(CloseTimeMax);

    public void Dispose() => gate.Dispose();

    /// <summary>The paths of values that one of them has, or both with another value.</summary>
    private static List<string> Changed(
        IReadOnlyDictionary<string, string?> before, IReadOnlyDictionary<string, string?> after) =>
    [
        // Keys for anchors are no settings.
        .. before.Keys.Union(after.Keys).Where(key => !key.StartsWith("x-", StringComparison.Ordinal)
            && (before.ContainsKey(key) != after.ContainsKey(key)
                || before.GetValueOrDefault(key) != after.GetValueOrDefault(key))),
    ];

    private bool Follows(string key, LogSettings next) => IsBelow(key, "telemetry:exporters")
        || (IsBelow(key, "logging") && !next.Handlers.Any(handler =>
            handler.Value.OpenProvider is not null && IsBelow(key, $"logging:handlers:{handler.Key}")));

    private static bool IsBelow(string key, string section) =>
        key.StartsWith(section, StringComparison.OrdinalIgnoreCase)
        && (key.Length == section.Length || key[section.Length] == ':');

    // Of a list or of arguments, the name of the whole is enough, and none of the values is shown.
    private static string? Names(IEnumerable<string> keys)
    {
        var all = keys.Select(key => string.Join('.', key.Split(':').TakeWhile(word => !int.TryParse(word, out _))))
            .Distinct().Order(StringComparer.Ordinal).ToList();
        return all.Count == 0 ? null
            : string.Join(", ", all.Take(NamesMax)) + (all.Count > NamesMax ? $" and {all.Count - NamesMax} more" : "");
    }

    private void Log(LogLevel level, string message, params ReadOnlySpan<(string Key, string? Value)> fields)
    {
        var list = new FieldList();
        list.Append(LogEvent.Message, message);
        foreach (var (key, value) in fields)
        {
            if (value is not null)
            {
                list.Append(key, value);
            }
        }
        LogFields.Write(logger, level, list);
    }
}
