using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// The open handlers of a configuration; routes each logger to its handlers. The levels of loggers are applied before,
/// by the filters of Microsoft.Extensions.Logging, where they can be changed while running.
/// </summary>
public sealed class LogSystem : ILoggerProvider
{
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, LogHandler> handlers = [];
    private readonly ConcurrentDictionary<string, LogChannel> channels = new(StringComparer.Ordinal);
    private readonly LogScopes scopes = new();
    private LogWriter? console;

    /// <summary>Opens all handlers.</summary>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public LogSystem(LogSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        Settings = settings;
        try
        {
            foreach (var (name, handler) in settings.Handlers.Where(handler => handler.Value.OpenProvider is null))
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

    /// <summary>Which loggers use which handlers.</summary>
    public LogSettings Settings { get; }

    /// <summary>How many lines were dropped, by the name of the handler.</summary>
    public IEnumerable<KeyValuePair<string, long>> Dropped =>
        handlers.Select(handler => KeyValuePair.Create(handler.Key, handler.Value.Writer.Dropped));

    public ILogger CreateLogger(string categoryName) => new ChannelLogger(
        channels.GetOrAdd(
            categoryName,
            name => new LogChannel(
                name, [.. Settings.HandlersOf(name).Where(handlers.ContainsKey).Select(handler => handlers[handler])])),
        scopes);

    /// <summary>Adds this and each handler that is a third-party provider; the container disposes of them.</summary>
    public void AddTo(ILoggingBuilder logging)
    {
        ArgumentNullException.ThrowIfNull(logging);
        logging.Services.AddSingleton(this).AddSingleton<ILoggerProvider>(this);
        foreach (var (name, handler) in Settings.Handlers)
        {
            if (handler.OpenProvider is { } open)
            {
                logging.Services.AddSingleton<ILoggerProvider>(_ => new HandlerProvider(
                    name, Settings, open(handler.Level, CreateLogger("taskservice.logs"))));
            }
        }
    }

    /// <summary>Reopens all files, before the next line is written.</summary>
    public void Reopen()
    {
        foreach (var handler in handlers.Values)
        {
            handler.Writer.Reopen();
        }
    }

    /// <summary>Shutdown: flushes all handlers, for five seconds at most, and closes them.</summary>
    public void Dispose()
    {
        var started = Stopwatch.GetTimestamp();
        foreach (var handler in handlers.Values)
        {
            handler.Writer.Close();
        }
        foreach (var handler in handlers.Values)
        {
            var left = FlushTimeMax - Stopwatch.GetElapsedTime(started);
            handler.Writer.Close(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
    }

    private LogHandler Open(string name, LogHandlerSettings settings)
    {
        var format = LogFormat.Create(settings.Format);
        if (settings.File is null)
        {
            // There is one standard output, and concurrent writers would mix lines.
            console ??= new LogWriter(new LogConsole(), name, format);
            return new LogHandler(settings.Level, format, console);
        }
        var file = LogFile.Open(settings.File, "log file");
        return new LogHandler(settings.Level, format, new LogWriter(file, name, format));
    }
}

/// <summary>An open handler: events below its level are not written.</summary>
internal sealed record LogHandler(LogLevel Level, LogFormat Format, LogWriter Writer);
