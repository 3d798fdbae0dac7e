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

    private readonly Lock gate = new();
    private readonly Dictionary<string, LogChannel> channels = new(StringComparer.Ordinal);
    private readonly LogScopes scopes = new();
    private Dictionary<string, LogHandler> handlers;

    /// <summary>Opens all handlers.</summary>
    /// <exception cref="IOException">A file cannot be written; the message says which and why.</exception>
    public LogSystem(LogSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        (Settings, handlers) = (settings, []);
        handlers = Open(settings);
    }

    /// <summary>Which loggers use which handlers.</summary>
    public LogSettings Settings { get; private set; }

    /// <summary>How many lines were dropped, by the name of the handler.</summary>
    public IEnumerable<KeyValuePair<string, long>> Dropped =>
        handlers.Select(handler => KeyValuePair.Create(handler.Key, handler.Value.Writer.Dropped));

    public ILogger CreateLogger(string categoryName)
    {
        lock (gate)
        {
            if (!channels.TryGetValue(categoryName, out var channel))
            {
                channel = new LogChannel(categoryName, HandlersOf(categoryName));
                channels.Add(categoryName, channel);
            }
            return new ChannelLogger(channel, scopes);
        }
    }

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
                    name, this, open(handler.Level, CreateLogger("taskservice.logs"))));
            }
        }
    }

    /// <summary>
    /// Changes to other settings: opens what is new, then routes existing loggers to it, then flushes and closes what
    /// is not used any more, within five seconds. No event is lost. Third-party providers stay as they are, and new
    /// ones are not opened; which loggers they get follows.
    /// </summary>
    /// <exception cref="IOException">A file cannot be written, and nothing has changed.</exception>
    public void Apply(LogSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        List<LogWriter> unused;
        lock (gate)
        {
            var next = Open(settings);
            foreach (var handler in next.Values)
            {
                handler.File?.Apply(settings.Handlers[handler.Name].File!);
            }
            unused = Unused(handlers, next);
            handlers = next;
            Settings = settings with { Handlers = Kept(settings.Handlers) };
            foreach (var channel in channels.Values)
            {
                channel.Apply(HandlersOf(channel.Name));
            }
        }
        Close(unused);
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
    public void Dispose() => Close([.. handlers.Values.Select(handler => handler.Writer)]);

    private static void Close(List<LogWriter> writers)
    {
        var started = Stopwatch.GetTimestamp();
        writers.ForEach(writer => writer.Close());
        foreach (var writer in writers)
        {
            var left = FlushTimeMax - Stopwatch.GetElapsedTime(started);
            writer.Close(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
    }

    private static List<LogWriter> Unused(
        Dictionary<string, LogHandler> before, Dictionary<string, LogHandler> after) =>
        [.. before.Values.Select(handler => handler.Writer).Except(after.Values.Select(handler => handler.Writer))];

    private LogHandler[] HandlersOf(string logger) =>
        [.. Settings.HandlersOf(logger).Where(handlers.ContainsKey).Select(handler => handlers[handler])];

    private Dictionary<string, LogHandler> Open(LogSettings settings)
    {
        var opened = new Dictionary<string, LogHandler>();
        try
        {
            foreach (var (name, handler) in settings.Handlers.Where(handler => handler.Value.OpenProvider is null))
            {
                opened.Add(name, Open(name, handler, opened));
            }
            return opened;
        }
        catch
        {
            Close(Unused(opened, handlers));
            throw;
        }
    }

    private LogHandler Open(string name, LogHandlerSettings settings, Dictionary<string, LogHandler> opened)
    {
        var format = LogFormat.Create(settings.Format);
        // There is one standard output, and concurrent writers would mix lines; a file stays open as well.
        var same = handlers.Values.Concat(opened.Values).FirstOrDefault(handler => handler.Path == settings.File?.Path);
        if (same is not null)
        {
            return same with { Name = name, Level = settings.Level, Format = format };
        }
        var file = settings.File is null ? null : LogFile.Open(settings.File, "log file");
        var writer = new LogWriter((LogTarget?)file ?? new LogConsole(), name, format);
        return new LogHandler(name, settings.Level, format, writer, settings.File?.Path, file);
    }

    private Dictionary<string, LogHandlerSettings> Kept(IReadOnlyDictionary<string, LogHandlerSettings> next) =>
        next.Where(handler => handler.Value.OpenProvider is null)
            .Concat(Settings.Handlers.Where(handler => handler.Value.OpenProvider is not null
                && next.GetValueOrDefault(handler.Key)?.OpenProvider is not null))
            .ToDictionary();
}

/// <summary>An open handler: events below its level are not written.</summary>
/// <param name="Name">From the configuration.</param>
/// <param name="Level">The lowest that is written.</param>
/// <param name="Format">Makes the lines.</param>
/// <param name="Writer">Of the target, which handlers may share.</param>
/// <param name="Path">Of its file as configured; null for standard output.</param>
/// <param name="File">The target; null for standard output.</param>
internal sealed record LogHandler(
    string Name, LogLevel Level, LogFormat Format, LogWriter Writer, string? Path, LogFile? File);
