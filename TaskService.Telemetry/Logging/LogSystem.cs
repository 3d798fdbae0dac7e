using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// The handlers of a configuration, opened, and the way from each logger to its handlers. As a provider it serves every
/// <c>ILogger</c>; <see cref="Channel"/> is for lines that are put together by hand. Which level a logger has is
/// decided
/// before, by the filters of Microsoft.Extensions.Logging, where it can be changed while running.
/// </summary>
public sealed class LogSystem : ILoggerProvider
{
    private readonly LogSettings settings;
    private readonly Dictionary<string, LogHandler> handlers = [];
    private readonly ConcurrentDictionary<string, LogChannel> channels = new(StringComparer.Ordinal);

    /// <summary>Opens all handlers.</summary>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public LogSystem(LogSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        this.settings = settings;
        try
        {
            foreach (var (name, handler) in settings.Handlers)
            {
                handlers.Add(name, Open(name, handler));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>How many lines were dropped, by the name of the handler.</summary>
    public IEnumerable<KeyValuePair<string, long>> Dropped =>
        handlers.Select(handler => KeyValuePair.Create(handler.Key, handler.Value.Writer.Dropped));

    /// <summary>The way to the handlers of this logger.</summary>
    public LogChannel Channel(string logger) => channels.GetOrAdd(logger, name => new LogChannel(name, Route(name)));

    public ILogger CreateLogger(string categoryName) => new ChannelLogger(Channel(categoryName));

    /// <summary>Writes what waits and closes all handlers.</summary>
    public void Dispose()
    {
        foreach (var handler in handlers.Values)
        {
            handler.Writer.Dispose();
        }
    }

    private static LogHandler Open(string name, LogHandlerSettings settings)
    {
        var format = LogFormat.Create(settings.Format);
        try
        {
            var target = settings.File is null ? Console.OpenStandardOutput() : new LogFile(settings.File);
            return new LogHandler(settings.Level, format, new LogWriter(target, name, format));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"log file {settings.File?.Path} cannot be written: {error.Message}", error);
        }
    }

    /// <summary>
    /// The handlers of the loggers whose name is this one or above it, up to one that does not propagate.
    /// </summary>
    private LogHandler[] Route(string logger)
    {
        var route = new List<string>();
        var propagate = true;
        foreach (var (_, found) in settings.Loggers
            .Where(other => Covers(other.Key, logger)).OrderByDescending(other => other.Key.Length))
        {
            route.AddRange(found.Handlers);
            propagate = found.Propagate;
            if (!propagate)
            {
                break;
            }
        }
        if (propagate)
        {
            route.AddRange(settings.Root.Handlers);
        }
        return [.. route.Distinct().Select(name => handlers[name])];
    }

    // As the filters of Microsoft.Extensions.Logging compare, but only whole words.
    private static bool Covers(string name, string logger) =>
        logger.StartsWith(name, StringComparison.OrdinalIgnoreCase)
        && (logger.Length == name.Length || logger[name.Length] == '.');
}

/// <summary>An open handler: what is below its level is not written.</summary>
internal sealed record LogHandler(LogLevel Level, LogFormat Format, LogWriter Writer);
