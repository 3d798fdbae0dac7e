using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>Routing of log lines: loggers choose handlers, a handler has a level and a format.</summary>
/// <param name="Handlers">By name.</param>
/// <param name="Loggers">By the name that they match: it and all names below it, by whole words between dots.</param>
/// <param name="Root">For loggers that match no other, and for those with <c>Propagate</c> as well.</param>
public sealed record LogSettings(
    IReadOnlyDictionary<string, LogHandlerSettings> Handlers,
    IReadOnlyDictionary<string, LoggerSettings> Loggers,
    LoggerSettings Root)
{
    /// <summary>
    /// The names of the handlers of a logger: those of it and of all above it, up to one that does not propagate.
    /// </summary>
    public IEnumerable<string> HandlersOf(string logger)
    {
        var names = new List<string>();
        var propagate = true;
        foreach (var name in Loggers.Keys.Where(name => Covers(name, logger)).OrderByDescending(name => name.Length))
        {
            names.AddRange(Loggers[name].Handlers);
            propagate = Loggers[name].Propagate;
            if (!propagate)
            {
                break;
            }
        }
        return (propagate ? names.Concat(Root.Handlers) : names).Distinct();
    }

    // As the filters of Microsoft.Extensions.Logging compare, but only whole words.
    private static bool Covers(string name, string logger) =>
        logger.StartsWith(name, StringComparison.OrdinalIgnoreCase)
        && (logger.Length == name.Length || logger[name.Length] == '.');
}

/// <param name="Level">Events below this level are not written.</param>
/// <param name="Format">How an event becomes a line.</param>
/// <param name="File">The file to write to; null for standard output.</param>
public sealed record LogHandlerSettings(LogLevel Level, LogFormatSettings Format, LogFileSettings? File)
{
    /// <summary>Opens a third-party log provider with its own format; null for a handler of this library.</summary>
    public OpenProvider? OpenProvider { get; init; }
}

/// <param name="Path">Its directory is created if it is missing.</param>
/// <param name="BytesMax">A file that would grow over it is rotated to <c>path.1</c> first; 0 for never.</param>
/// <param name="BackupCount">Number of rotated files to keep; 0 for no rotation at all.</param>
public sealed record LogFileSettings(string Path, long BytesMax, int BackupCount);

/// <param name="Kind">One of the three formats.</param>
/// <param name="Fields">
/// Only these fields, in this order; null for all. Brief always has its prefix, and JSON time, message and level.
/// </param>
public sealed record LogFormatSettings(LogFormatKind Kind, IReadOnlyList<string>? Fields = null);

public enum LogFormatKind
{
    /// <summary>For a person at a terminal: time, logger and level bare, then the fields as logfmt.</summary>
    Brief,

    /// <summary>Everything as <c>key=value</c> pairs.</summary>
    Logfmt,

    /// <summary>Compact JSON events (CLEF): <c>@t @mt @m @l @x</c> and the fields.</summary>
    Json,
}

/// <param name="Level">Events below this level are not logged.</param>
/// <param name="Handlers">Names of handlers.</param>
/// <param name="Propagate">Whether the handlers of the loggers above get its events, too.</param>
public sealed record LoggerSettings(LogLevel Level, IReadOnlyList<string> Handlers, bool Propagate);
