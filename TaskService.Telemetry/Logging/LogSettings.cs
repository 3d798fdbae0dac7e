using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>Where log lines go: loggers choose handlers, a handler has a level and a format.</summary>
/// <param name="Handlers">By name.</param>
/// <param name="Loggers">By the name that they match: it and everything below it, to the next dot.</param>
/// <param name="Root">What no other logger matches; also gets what a logger with <c>Propagate</c> passes on.</param>
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

/// <param name="Level">What is below is not written.</param>
/// <param name="Format">How an event becomes a line.</param>
/// <param name="File">The file to write to; null for standard output.</param>
public sealed record LogHandlerSettings(LogLevel Level, LogFormatSettings Format, LogFileSettings? File)
{
    /// <summary>Makes it a log provider of someone else's, which has its own format; null for ours.</summary>
    public OpenProvider? OpenProvider { get; init; }
}

/// <param name="Path">Its directory is made when it is missing.</param>
/// <param name="BytesMax">A file that would grow over it is renamed to <c>path.1</c> first; 0 for never.</param>
/// <param name="BackupCount">How many renamed files are kept; 0 for no rotation at all.</param>
public sealed record LogFileSettings(string Path, long BytesMax, int BackupCount);

/// <param name="Kind">One of the three formats.</param>
/// <param name="Fields">
/// Only these fields, in this order; null for all. Brief always has its head, and JSON time, message and level.
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

/// <param name="Level">What is below is not logged.</param>
/// <param name="Handlers">Names of handlers.</param>
/// <param name="Propagate">Whether the handlers of the loggers above get it, too.</param>
public sealed record LoggerSettings(LogLevel Level, IReadOnlyList<string> Handlers, bool Propagate);
