using TaskService.Telemetry.Logging;

namespace TaskService.Configuration;

/// <summary>Reads the <c>logging</c> section.</summary>
internal static class LoggingSettings
{
    /// <summary>The logger of the service: requests, start and stop.</summary>
    public const string LoggerName = "taskservice";

    private static readonly (string, LogLevel)[] Levels =
    [
        ("trace", LogLevel.Trace), ("debug", LogLevel.Debug), ("info", LogLevel.Information),
        ("warning", LogLevel.Warning), ("error", LogLevel.Error), ("critical", LogLevel.Critical),
        ("none", LogLevel.None), ("warn", LogLevel.Warning),
    ];

    private static readonly (string, LogFormatKind)[] Kinds =
        [("brief", LogFormatKind.Brief), ("logfmt", LogFormatKind.Logfmt), ("json", LogFormatKind.Json)];

    // One line a type of handlers. What is not ours has a reader of its own settings.
    private static readonly (string, HandlerType)[] Types =
    [
        ("console", new(IsFile: false)),
        ("file", new(IsFile: true)),
        ("serilog", new(IsFile: false, SerilogHandler.Read)),
    ];

    /// <param name="section">The <c>logging</c> section.</param>
    /// <param name="debug">Puts the service's logger, and every handler that it reaches, at debug.</param>
    public static LogSettings Read(ConfigSection section, bool debug)
    {
        var formats = Kinds.ToDictionary(kind => kind.Item1, kind => new LogFormatSettings(kind.Item2));
        foreach (var (name, formatter) in section.Section("formatters").Sections())
        {
            var kind = formatter.Choice("format", LogFormatKind.Logfmt, Kinds);
            var fields = formatter.Texts("fields");
            formats[name] = new LogFormatSettings(kind, fields.Count == 0 ? null : fields);
        }
        var handlerSection = section.Section("handlers");
        var handlers = ReadHandlers(handlerSection, formats);
        var loggers = ReadLoggers(section.Section("loggers"), handlers.Keys);
        var root = ReadLogger(section.Section("root"), LogLevel.Warning, handlers.Keys, isRoot: true);
        var used = loggers.Values.Append(root).SelectMany(logger => logger.Handlers).ToHashSet();
        // A name that is misspelt is reported already, and says enough of the handler that was meant.
        foreach (var name in used.All(handlers.ContainsKey) ? handlerSection.Keys.Except(used) : [])
        {
            handlerSection.Problem(name, "no logger uses this handler");
        }
        var settings = new LogSettings(handlers, loggers, root);
        return debug ? WithDebug(settings) : settings;
    }

    private static LogSettings WithDebug(LogSettings settings)
    {
        var handlers = new Dictionary<string, LogHandlerSettings>(settings.Handlers);
        foreach (var name in settings.HandlersOf(LoggerName))
        {
            handlers[name] = handlers[name] with { Level = Lower(handlers[name].Level) };
        }
        var own = settings.Loggers[LoggerName];
        var loggers = new Dictionary<string, LoggerSettings>(settings.Loggers, StringComparer.OrdinalIgnoreCase)
        {
            [LoggerName] = own with { Level = Lower(own.Level) },
        };
        return settings with { Handlers = handlers, Loggers = loggers };

        static LogLevel Lower(LogLevel level) => level is < LogLevel.Debug or LogLevel.None ? level : LogLevel.Debug;
    }

    private static Dictionary<string, LoggerSettings> ReadLoggers(
        ConfigSection section, Dictionary<string, LogHandlerSettings>.KeyCollection handlers)
    {
        // Names of loggers are compared without regard to case wherever they are used.
        var loggers = new Dictionary<string, LoggerSettings>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, logger) in section.Sections())
        {
            if (name.Contains('*', StringComparison.Ordinal))
            {
                section.Problem(name, "must be a name without *; it covers all below it anyhow");
            }
            if (!loggers.TryAdd(name, ReadLogger(logger, LogLevel.Information, handlers)))
            {
                section.Problem(name, "is there already, in another case");
            }
        }
        // Without a word about it, the service itself says what it does.
        loggers.TryAdd(LoggerName, new LoggerSettings(LogLevel.Information, [], Propagate: true));
        return loggers;
    }

    /// <summary>
    /// Puts the levels where the framework looks for them, and where they can be changed while running.
    /// </summary>
    public static void SetLevels(LoggerFilterOptions options, LogSettings settings)
    {
        options.MinLevel = settings.Root.Level;
        // What it says of a request stands in our line. While it may say anything, the framework makes an Activity for
        // each request, which costs 0.4 us and 600 bytes. Who names this very logger gets it all the same.
        options.Rules.Add(
            new LoggerFilterRule(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null));
        foreach (var (name, logger) in settings.Loggers)
        {
            options.Rules.Add(new LoggerFilterRule(null, name, logger.Level, null));
        }
        // A start that failed and a background service that did are logged once, by the program.
        options.Rules.Add(
            new LoggerFilterRule(null, "Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None, null));
    }

    private static Dictionary<string, LogHandlerSettings> ReadHandlers(
        ConfigSection section, Dictionary<string, LogFormatSettings> formats)
    {
        var handlers = new Dictionary<string, LogHandlerSettings>();
        var paths = new HashSet<string>();
        foreach (var (name, handler) in section.Sections())
        {
            var (isFile, readProvider) = handler.Choice("type", Types[0].Item2, Types);
            var level = handler.Choice("level", LogLevel.Debug, Levels);
            if (readProvider is not null)
            {
                var settings = new LogHandlerSettings(level, formats["json"], null);
                handlers.Add(name, settings with { OpenProvider = readProvider(handler) });
                continue;
            }
            var formatName = handler.Text("format", isFile ? "logfmt" : "brief");
            if (!formats.TryGetValue(formatName, out var format))
            {
                handler.Problem(
                    "format", $"\"{formatName}\" is not known{ConfigProblems.Allowed(formatName, formats.Keys)}");
            }
            var file = isFile ? ReadFile(handler) : null;
            if (file is not null && FirstTaken(file, paths) is { } taken)
            {
                handler.Problem("path", $"\"{taken}\" is already written by another handler");
            }
            handlers.Add(name, new LogHandlerSettings(level, format ?? formats["logfmt"], file));
        }
        if (handlers.Count == 0)
        {
            handlers.Add("console", new LogHandlerSettings(LogLevel.Information, formats["brief"], null));
        }
        return handlers;
    }

    /// <summary>Takes the files that a path and its rotation write.</summary>
    /// <returns>The first of them that is taken already; null if none is.</returns>
    public static string? FirstTaken(LogFileSettings file, HashSet<string> paths)
    {
        var rotated = file is { BytesMax: > 0, BackupCount: > 0 }
            ? Enumerable.Range(1, file.BackupCount).Select(number => $"{file.Path}.{number}")
            : [];
        string[] all = file.Path.Length == 0 ? [] : [file.Path, .. rotated];
        return Array.FindAll(all, path => !paths.Add(Path.GetFullPath(path))).FirstOrDefault();
    }

    private static LogFileSettings ReadFile(ConfigSection handler)
    {
        var path = handler.Text("path", "");
        if (path.Length == 0)
        {
            handler.Problem("path", "must name the file to write");
        }
        return new LogFileSettings(
            path,
            handler.Integer("max-bytes", 10 * 1024 * 1024, 0, long.MaxValue),
            (int)handler.Integer("backup-count", 3, 0, 1_000));
    }

    private static LoggerSettings ReadLogger(
        ConfigSection section,
        LogLevel level,
        Dictionary<string, LogHandlerSettings>.KeyCollection handlers,
        bool isRoot = false)
    {
        var names = section.Texts("handlers", isRoot ? [.. handlers] : []);
        foreach (var name in names.Where(name => !handlers.Contains(name)))
        {
            section.Problem("handlers", $"\"{name}\" is not a handler{ConfigProblems.Allowed(name, handlers)}");
        }
        return new LoggerSettings(
            section.Choice("level", level, Levels), names, !isRoot && section.Flag("propagate", true));
    }

    private sealed record HandlerType(bool IsFile, Func<ConfigSection, OpenProvider>? ReadProvider = null);
}
