using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// Compact JSON events, one a line, as <c>Serilog.Formatting.Compact</c> writes them: <c>@t</c> time, <c>@mt</c>
/// template, <c>@l</c> level unless information, <c>@x</c> exception; a field whose name begins with @ gets a second @.
/// A message without a template is <c>@m</c>, and so is one whose template has a format, which Serilog writes as its
/// rendered parts, <c>@r</c>. A selection applies to the fields and to <c>trace</c>; time, message and level are always
/// written.
/// </summary>
internal sealed class JsonFormat(IReadOnlyList<string>? selection) : LogFormat(selection)
{
    public override void Write(in LogEvent logEvent, Utf8Line line)
    {
        line.Append("{\"@t\":\""u8);
        line.AppendTime(logEvent.Time, 'T');
        line.Append((byte)'.');
        line.AppendDigits((int)(logEvent.Time.Ticks % TimeSpan.TicksPerSecond), 7);
        line.Append("Z\""u8);
        WriteMessage(logEvent, line);
        if (logEvent.Level != LogLevel.Information)
        {
            AppendText("@l"u8, LevelName(logEvent.Level), line);
        }
        if (Selection?.Contains(LogEvent.Trace) != false && logEvent.Find(LogEvent.Trace) is { Text: { } trace })
        {
            AppendText("@x"u8, trace, line);
        }
        if (Selection is null)
        {
            AppendText("SourceContext"u8, logEvent.Logger, line);
            foreach (var field in logEvent.Fields)
            {
                if (field.Key is not (LogEvent.Message or LogEvent.Trace))
                {
                    AppendField(field, line);
                }
            }
        }
        else
        {
            WriteSelected(logEvent, Selection, line);
        }
        line.Append("}\n"u8);
    }

    private static void WriteMessage(in LogEvent logEvent, Utf8Line line)
    {
        if (logEvent.Template is { } template)
        {
            AppendText("@mt"u8, template, line);
            if (!HasFormat(template))
            {
                return;
            }
        }
        if (logEvent.Find(LogEvent.Message) is { Text: { } message })
        {
            AppendText(logEvent.IsTemplate ? "@mt"u8 : "@m"u8, message, line);
        }
    }

    // Such as {Elapsed:0.0}.
    private static bool HasFormat(ReadOnlySpan<char> template)
    {
        while (template.IndexOf('{') is >= 0 and var start)
        {
            template = template[(start + 1)..];
            if (template.IndexOfAny(':', '{', '}') is >= 0 and var end && template[end] == ':')
            {
                return true;
            }
        }
        return false;
    }

    private static void WriteSelected(in LogEvent logEvent, IReadOnlyList<string> selection, Utf8Line line)
    {
        foreach (var key in selection)
        {
            if (key == "logger")
            {
                AppendText("SourceContext"u8, logEvent.Logger, line);
            }
            else if (key is not (LogEvent.Message or LogEvent.Trace) && logEvent.Find(key) is { } value)
            {
                AppendField(new Field(key, value), line);
            }
        }
    }

    private static void AppendText(ReadOnlySpan<byte> name, string text, Utf8Line line)
    {
        line.Append(",\""u8);
        line.Append(name);
        line.Append("\":"u8);
        line.AppendQuoted(text);
    }

    private static void AppendField(Field field, Utf8Line line)
    {
        line.Append((byte)',');
        line.AppendQuoted(field.Key.StartsWith('@') ? "@" + field.Key : field.Key);
        line.Append((byte)':');
        line.AppendJson(field.Value);
    }

    private static string LevelName(LogLevel level) => level switch
    {
        LogLevel.Trace => "Verbose",
        LogLevel.Debug => "Debug",
        LogLevel.Warning => "Warning",
        LogLevel.Error => "Error",
        _ => "Fatal",
    };
}
