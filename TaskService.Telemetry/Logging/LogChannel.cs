using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>Routes the events of one logger to its handlers.</summary>
internal sealed class LogChannel
{
    [ThreadStatic]
    private static Utf8Line? threadLine;

    private volatile LogHandler[] handlers = [];

    internal LogChannel(string name, LogHandler[] handlers)
    {
        Name = name;
        Apply(handlers);
    }

    public string Name { get; }

    /// <summary>The lowest level that any of the handlers writes.</summary>
    public LogLevel Level { get; private set; }

    /// <summary>Replaces the handlers. Those before may be closed then.</summary>
    public void Apply(LogHandler[] next)
    {
        handlers = next;
        Level = next.Length == 0 ? LogLevel.None : next.Min(handler => handler.Level);
    }

    /// <summary>Writes the event to each handler, subject to its level.</summary>
    public void Write(in LogEvent logEvent)
    {
        var line = threadLine ??= new Utf8Line();
        var all = handlers;
        for (var i = 0; i < all.Length; i++)
        {
            if (logEvent.Level >= all[i].Level)
            {
                line.Clear();
                all[i].Format.Write(logEvent, line);
                if (!all[i].Writer.TryAppend(line.Bytes))
                {
                    WriteToOthers(logEvent, line, all, [.. all.AsSpan(0, i)]);
                    return;
                }
            }
        }
    }

    // A handler was closed, which follows upon its replacement: the event goes to those that are there now. When they
    // are the same, the process ends, and they count it as dropped.
    private void WriteToOthers(in LogEvent logEvent, Utf8Line line, LogHandler[] before, List<LogHandler> written)
    {
        var all = handlers;
        foreach (var handler in all)
        {
            if (logEvent.Level < handler.Level
                || written.Exists(one => one.Name == handler.Name || one.Writer == handler.Writer))
            {
                continue;
            }
            line.Clear();
            handler.Format.Write(logEvent, line);
            if (all == before)
            {
                handler.Writer.Append(line.Bytes);
            }
            else if (handler.Writer.TryAppend(line.Bytes))
            {
                written.Add(handler);
            }
            else
            {
                WriteToOthers(logEvent, line, all, written);
                return;
            }
        }
    }
}
