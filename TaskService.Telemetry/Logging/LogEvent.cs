using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>A log event, before it is formatted as a line.</summary>
/// <param name="time">UTC.</param>
/// <param name="logger">The name of the logger, such as <c>taskservice</c>.</param>
/// <param name="level">Trace to critical.</param>
/// <param name="fields">In the order in which they are written; one is the field <c>message</c>.</param>
/// <param name="template">The message with its placeholders unfilled, when it has any.</param>
public readonly ref struct LogEvent(
    DateTime time, string logger, LogLevel level, ReadOnlySpan<Field> fields, string? template = null)
{
    /// <summary>The key of the message.</summary>
    public const string Message = "message";

    /// <summary>The key of the exception with its stack trace.</summary>
    public const string Trace = "trace";

    public DateTime Time { get; } = time;

    public string Logger { get; } = logger;

    public LogLevel Level { get; } = level;

    public ReadOnlySpan<Field> Fields { get; } = fields;

    public string? Template { get; } = template;

    /// <summary>Whether the message is its own template, as it has no placeholders.</summary>
    public bool IsTemplate { get; init; }

    /// <summary>The value of the first field with this key, or null.</summary>
    public FieldValue? Find(string key)
    {
        foreach (var field in Fields)
        {
            if (field.Key == key)
            {
                return field.Value;
            }
        }
        return null;
    }
}
