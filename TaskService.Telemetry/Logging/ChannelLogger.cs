using System.Globalization;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// The <c>ILogger</c> for libraries and code of the service. Inside a request it adds <c>req_id</c> and
/// <c>trace_id</c>. Lines of <see cref="LogFields"/> are written as they are; any other has the values of its scopes
/// after its own.
/// </summary>
internal sealed class ChannelLogger(LogChannel channel, LogScopes scopes) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => scopes.Begin(state);

    public bool IsEnabled(LogLevel logLevel) => logLevel >= channel.Level && logLevel != LogLevel.None;

    /// <summary>
    /// The value of a placeholder, as in Serilog's compact JSON: a time in ISO 8601, a decimal as a number. Other than
    /// there, lists are lists, and a duration is its milliseconds, as everywhere in lines of this library.
    /// </summary>
    public static FieldValue ValueOf(object? value) => value switch
    {
        DateTime or DateTimeOffset or TimeOnly => ((IFormattable)value).ToString("O", CultureInfo.InvariantCulture),
        decimal or ulong => FieldValue.FromFormattable((IUtf8SpanFormattable)value),
        // The shortest digits of the float, not those of the nearest double.
        float number => double.Parse(number.ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
        _ => FieldValue.From(value),
    };

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }
        if (state is LogFields own)
        {
            // The JIT resolves this check per type of state: nothing is boxed, and other states pay nothing.
            channel.Write(
                new LogEvent(DateTime.UtcNow, channel.Name, logLevel, own.Items) { IsTemplate = true });
            return;
        }
        var fields = new FieldList();
        if (Operation.Current is { } operation)
        {
            fields.Append("req_id", operation.Id);
            fields.Append("trace_id", operation.TraceId);
        }
        fields.Append(LogEvent.Message, formatter(state, exception));
        string? template = null;
        if (state is IReadOnlyList<KeyValuePair<string, object?>> values)
        {
            foreach (var (key, value) in values)
            {
                if (key == LogFields.OriginalFormat)
                {
                    template = value as string;
                }
                else
                {
                    fields.Append(key, ValueOf(value));
                }
            }
        }
        if (exception is not null)
        {
            fields.Append(LogEvent.Trace, exception.ToString());
        }
        scopes.CopyTo(fields);
        channel.Write(new LogEvent(DateTime.UtcNow, channel.Name, logLevel, fields.Items, template));
        if (Operation.Current?.Telemetry.HasLogEvents == true)
        {
            using var log = Operation.Start(".log");
            log.Set("name", channel.Name);
            log.Set("level", $"{logLevel}".ToLowerInvariant());
            log.Set("msg", formatter(state, exception));
            if (exception is not null)
            {
                log.Fail(exception);
            }
        }
    }
}
