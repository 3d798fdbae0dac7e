using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using TaskService.Telemetry.Logging;

namespace TaskService.Configuration;

/// <summary>
/// The levels of all loggers as <see cref="LoggerFilterOptions"/>, so that every provider follows: those of the
/// configuration, and overrides over them. A change applies to the loggers that exist at once.
/// </summary>
/// <param name="logs">Has the configuration.</param>
internal sealed class LogLevels(LogSystem logs)
    : IConfigureOptions<LoggerFilterOptions>,
      IPostConfigureOptions<LoggerFilterOptions>,
      IOptionsChangeTokenSource<LoggerFilterOptions>
{
    /// <summary>The name of the logger that all others inherit from.</summary>
    public const string Root = "root";

    /// <summary>The level of a logger that inherits its own.</summary>
    public const string NotSet = "NOTSET";

    // The names of Python's logging, and of what it does not have, those of the configuration.
    private static readonly (string Name, LogLevel Level)[] Names =
    [
        ("TRACE", LogLevel.Trace), ("DEBUG", LogLevel.Debug), ("INFO", LogLevel.Information),
        ("WARNING", LogLevel.Warning), ("ERROR", LogLevel.Error), ("CRITICAL", LogLevel.Critical),
        ("NONE", LogLevel.None),
    ];

    private IReadOnlyList<KeyValuePair<string, LogLevel>> overrides = [];
    private ConfigurationReloadToken token = new();

    /// <summary>Of the options without a name, which are those of the logger factory.</summary>
    public string Name => Options.DefaultName;

    /// <summary>What <see cref="TryParse"/> takes.</summary>
    public static IEnumerable<string> Allowed => Names.Select(known => known.Name).Append(NotSet);

    /// <summary>Adds the levels to those of the logger factory.</summary>
    public static void AddTo(IServiceCollection services) => services
        .AddSingleton<LogLevels>()
        .AddSingleton<IConfigureOptions<LoggerFilterOptions>>(all => all.GetRequiredService<LogLevels>())
        .AddSingleton<IPostConfigureOptions<LoggerFilterOptions>>(all => all.GetRequiredService<LogLevels>())
        .AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(all => all.GetRequiredService<LogLevels>());

    public static string NameOf(LogLevel? level) =>
        Array.Find(Names, known => known.Level == level).Name ?? NotSet;

    /// <param name="text">A name in any case.</param>
    /// <param name="level">Null for <see cref="NotSet"/>.</param>
    /// <returns>False when it is none.</returns>
    public static bool TryParse(string text, out LogLevel? level)
    {
        var known = Array.Find(Names, known => known.Name.Equals(text, StringComparison.OrdinalIgnoreCase));
        level = known.Name is null ? null : known.Level;
        return known.Name is not null || text.Equals(NotSet, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The level of the logger itself; null when it inherits one.</summary>
    public static LogLevel? Own(LoggerFilterOptions options, string name) => IsRoot(name)
        ? Effective(options, name)
        : Rules(options, name).LastOrDefault(
            rule => name.Equals(rule.CategoryName, StringComparison.OrdinalIgnoreCase))?.LogLevel;

    /// <summary>The level that applies, as the framework chooses it for the handlers of the configuration.</summary>
    public static LogLevel Effective(LoggerFilterOptions options, string name) =>
        // Of equals, the last one counts, and the sort is stable.
        Rules(options, IsRoot(name) ? "" : name).OrderBy(rule => rule.CategoryName?.Length ?? 0).LastOrDefault()
            ?.LogLevel ?? options.MinLevel;

    /// <summary>Puts these levels over those of the configuration, in place of the overrides before.</summary>
    /// <param name="levels">By the names of loggers; each is for all below it, too.</param>
    public void Override(IEnumerable<KeyValuePair<string, LogLevel>> levels)
    {
        overrides = [.. levels];
        Reload();
    }

    /// <summary>Applies the levels of the configuration again, which has changed.</summary>
    public void Reload() => Interlocked.Exchange(ref token, new ConfigurationReloadToken()).OnReload();

    public IChangeToken GetChangeToken() => token;

    public void Configure(LoggerFilterOptions options) => LoggingSettings.SetLevels(options, logs.Settings);

    public void PostConfigure(string? name, LoggerFilterOptions options)
    {
        // A rule of a provider ranks above those of all, whatever its category.
        var providers = options.Rules.Select(rule => rule.ProviderName).Append(null).Distinct().ToList();
        foreach (var (logger, level) in overrides)
        {
            foreach (var provider in providers)
            {
                options.Rules.Add(new LoggerFilterRule(provider, IsRoot(logger) ? null : logger, level, null));
            }
        }
    }

    private static bool IsRoot(string name) => name.Equals(Root, StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<LoggerFilterRule> Rules(LoggerFilterOptions options, string name) =>
        options.Rules.Where(rule => rule.ProviderName is null && Covers(rule.CategoryName, name));

    private static bool Covers(string? category, string name) => category?.Split('*', 2) switch
    {
        null => true,
        [var start] => name.StartsWith(start, StringComparison.OrdinalIgnoreCase),
        [var start, var end] => name.StartsWith(start, StringComparison.OrdinalIgnoreCase)
            && name.EndsWith(end, StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
