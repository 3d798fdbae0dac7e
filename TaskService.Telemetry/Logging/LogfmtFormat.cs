using System.Buffers;
using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// <c>key=value</c> pairs: numbers and booleans bare, text in quotes, nothing after the sign for null.
/// </summary>
internal sealed class LogfmtFormat(IReadOnlyList<string>? selection, bool brief) : LogFormat(selection)
{
    // The characters of a key: visible ASCII but the two that are syntax of logfmt.
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "!#$%&'()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    public override void Write(in LogEvent logEvent, Utf8Line line)
    {
        if (brief)
        {
            AppendTime(logEvent.Time, line);
            line.Append((byte)' ');
            line.Append(logEvent.Logger);
            line.Append((byte)' ');
            line.Append(LevelName(logEvent.Level));
            line.Append(" :"u8);
        }
        var first = !brief;
        if (Selection is not null)
        {
            foreach (var key in Selection)
            {
                WriteSelected(logEvent, key, line, ref first);
            }
        }
        else
        {
            if (!brief)
            {
                WriteSelected(logEvent, "time", line, ref first);
                WriteSelected(logEvent, "logger", line, ref first);
                WriteSelected(logEvent, "level", line, ref first);
            }
            foreach (var field in logEvent.Fields)
            {
                AppendKey(field.Key, line, ref first);
                line.Append(field.Value);
            }
        }
        line.Append((byte)'\n');
    }

    private static void WriteSelected(in LogEvent logEvent, string key, Utf8Line line, ref bool first)
    {
        switch (key)
        {
            case "time":
                AppendKey(key, line, ref first);
                line.Append((byte)'"');
                AppendTime(logEvent.Time, line);
                line.Append((byte)'"');
                break;
            case "logger":
                AppendKey(key, line, ref first);
                line.AppendQuoted(logEvent.Logger);
                break;
            case "level":
                AppendKey(key, line, ref first);
                line.Append((byte)'"');
                line.Append(LevelName(logEvent.Level));
                line.Append((byte)'"');
                break;
            default:
                if (logEvent.Find(key) is { } value)
                {
                    AppendKey(key, line, ref first);
                    line.Append(value);
                }
                break;
        }
    }

    private static void AppendKey(string key, Utf8Line line, ref bool first)
    {
        if (key.Length == 0 || key.AsSpan().ContainsAnyExcept(Plain))
        {
            key = key.Length == 0 ? "_" : string.Concat(key.Select(c => Plain.Contains(c) ? c : '_'));
        }
        line.AppendKey(key, first);
        first = false;
    }

    private static void AppendTime(DateTime time, Utf8Line line)
    {
        line.AppendTime(time, ' ');
        line.Append((byte)',');
        line.AppendDigits(time.Millisecond, 3);
    }

    // The names of Python's logging module, which readers of these lines know.
    private static ReadOnlySpan<byte> LevelName(LogLevel level) => level switch
    {
        LogLevel.Trace => "TRACE"u8,
        LogLevel.Debug => "DEBUG"u8,
        LogLevel.Information => "INFO"u8,
        LogLevel.Warning => "WARNING"u8,
        LogLevel.Error => "ERROR"u8,
        _ => "CRITICAL"u8,
    };
}
