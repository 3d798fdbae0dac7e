namespace TaskService.Telemetry.Logging;

/// <summary>Turns an event into one line.</summary>
public abstract class LogFormat
{
    protected LogFormat(IReadOnlyList<string>? selection) => Selection = selection;

    /// <summary>Only these fields, in this order; null for all.</summary>
    protected IReadOnlyList<string>? Selection { get; }

    public static LogFormat Create(LogFormatSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.Kind switch
        {
            LogFormatKind.Brief => new LogfmtFormat(settings.Fields, brief: true),
            LogFormatKind.Logfmt => new LogfmtFormat(settings.Fields, brief: false),
            _ => new JsonFormat(settings.Fields),
        };
    }

    /// <summary>Appends the event to the line, with the newline that ends it.</summary>
    public abstract void Write(in LogEvent logEvent, Utf8Line line);
}
