using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>Routes the events of one logger to its handlers.</summary>
internal sealed class LogChannel
{
    [ThreadStatic]
    private static Utf8Line? threadLine;

    private readonly LogHandler[] handlers;

    internal LogChannel(string name, LogHandler[] handlers)
    {
        (Name, this.handlers) = (name, handlers);
        Level = handlers.Length == 0 ? LogLevel.None : handlers.Min(handler => handler.Level);
    }

    public string Name { get; }

    /// <summary>The lowest level that any of the handlers writes.</summary>
    public LogLevel Level { get; }

    /// <summary>Writes the event to each handler, subject to its level.</summary>
    public void Write(in LogEvent logEvent)
    {
        var line = threadLine ??= new Utf8Line();
        foreach (var handler in handlers)
        {
            if (logEvent.Level >= handler.Level)
            {
                line.Clear();
                handler.Format.Write(logEvent, line);
                handler.Writer.Append(line.Bytes);
            }
        }
    }
}
