using System.Collections;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// The log state of a line that the service writes itself. The provider of this library recognizes the type and writes
/// its fields as bytes, without boxing. Any other provider reads key-value pairs, in which the field <c>message</c> is
/// the message template and the field <c>trace</c> is left out, as it is the exception of the event. The list of pairs
/// is reused for the next line: a provider that keeps them after the call must copy them, as with the states that
/// <c>LoggerMessage</c> reuses.
/// </summary>
/// <param name="Fields">In the order in which they are written.</param>
public readonly record struct LogFields(FieldList Fields) : IReadOnlyList<KeyValuePair<string, object?>>
{
    /// <summary>The key of the message template, by convention of Microsoft.Extensions.Logging the last pair.</summary>
    internal const string OriginalFormat = "{OriginalFormat}";

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Failures = Meter.CreateCounter<long>(
        "taskservice.log.provider.failures", "{line}", "Log lines at which a provider beside ours threw.");

    private static readonly Func<LogFields, Exception?, string> Formatter = static (state, _) => state.ToString();

    public int Count
    {
        get
        {
            var count = 1;
            foreach (var item in Items)
            {
                count += IsPair(item) ? 1 : 0;
            }
            return count;
        }
    }

    internal ReadOnlySpan<Field> Items => Fields.Items;

    public KeyValuePair<string, object?> this[int index]
    {
        get
        {
            var left = index;
            foreach (var item in Items)
            {
                if (IsPair(item) && left-- == 0)
                {
                    return new(item.Key, item.Value.ToObject());
                }
            }
            ArgumentOutOfRangeException.ThrowIfNotEqual(left, 0, nameof(index));
            return Template;
        }
    }

    private KeyValuePair<string, object?> Template => new(OriginalFormat, ToString());

    /// <summary>Writes a line to all providers. Never throws, even if a third-party provider does.</summary>
    /// <param name="logger">Its filters decide whether the line is written.</param>
    /// <param name="level">Of the line.</param>
    /// <param name="fields">One of them is <c>message</c>.</param>
    /// <param name="exception">The exception of the field <c>trace</c>; null when there is none.</param>
    public static void Write(ILogger logger, LogLevel level, FieldList fields, Exception? exception = null)
    {
        ArgumentNullException.ThrowIfNull(logger);
        try
        {
            logger.Log(level, default, new LogFields(fields), exception, Formatter);
        }
        catch (Exception)
        {
            // Logger calls all providers before it throws.
            Failures.AddSafely(1);
        }
    }

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (var i = 0; i < Items.Length; i++)
        {
            if (IsPair(Items[i]))
            {
                yield return new(Items[i].Key, Items[i].Value.ToObject());
            }
        }
        yield return Template;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The message.</summary>
    public override string ToString()
    {
        foreach (var item in Items)
        {
            if (item.Key == LogEvent.Message)
            {
                return item.Value.Text ?? "";
            }
        }
        return "";
    }

    private static bool IsPair(in Field item) => item.Key is not (LogEvent.Message or LogEvent.Trace);
}
