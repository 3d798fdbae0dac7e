using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// A line under construction, in UTF-8. It is reused, so that a line of usual length allocates nothing.
/// </summary>
public sealed class Utf8Line
{
    private const int KeptBytesMax = 64 * 1024;

    // Printable ASCII without the quote and the backslash.
    private const string PlainText = " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
        + "abcdefghijklmnopqrstuvwxyz{|}~";

    // Characters that end a line for some readers, or are invisible: they are escaped.
    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        "\"\\\u007f\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f"
        + "\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009a\u009b\u009c\u009d\u009e\u009f"
        + "\u2028\u2029\ufeff" + string.Concat(Enumerable.Range(0, 0x20).Select(i => (char)i)));

    // Characters that need no escape and are one byte, nearly all of a log: one vectorized search, then a plain copy.
    private static readonly SearchValues<char> Plain = SearchValues.Create(PlainText);
    private static readonly SearchValues<byte> PlainBytes = SearchValues.Create(Encoding.ASCII.GetBytes(PlainText));

    // Cache of the last second: the next line is most often of the same, and formatting it took 20 ns.
    private readonly byte[] second = new byte[19];
    private long secondAt = -1;

    private byte[] buffer = new byte[1024];
    private int length;

    public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

    public void Clear()
    {
        if (buffer.Length > KeptBytesMax)
        {
            buffer = new byte[1024];
        }
        length = 0;
    }

    public void Append(byte ascii)
    {
        Room(1)[0] = ascii;
        length++;
    }

    public void Append(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Room(utf8.Length));
        length += utf8.Length;
    }

    /// <summary>Lone surrogates become U+FFFD.</summary>
    public void Append(ReadOnlySpan<char> text) =>
        length += Encoding.UTF8.GetBytes(text, Room(Encoding.UTF8.GetMaxByteCount(text.Length)));

    public void Append<T>(T value, ReadOnlySpan<char> format = default)
        where T : IUtf8SpanFormattable
    {
        int written;
        for (var size = 32; !value.TryFormat(Room(size), out written, format, CultureInfo.InvariantCulture); size *= 2)
        {
        }
        length += written;
    }

    public void Append(long value)
    {
        // The general formatting below looks up a culture for the sign.
        Utf8Formatter.TryFormat(value, Room(20), out var written);
        length += written;
    }

    /// <summary>Text and lists in quotes, anything else bare, nothing for null.</summary>
    public void Append(FieldValue value)
    {
        switch (value.Kind)
        {
            case FieldKind.Text:
                AppendQuoted(value.Text);
                break;
            case FieldKind.Integer:
                Append(value.Integer);
                break;
            case FieldKind.Number:
                Append(value.Number);
                break;
            case FieldKind.Boolean:
                Append(value.Boolean ? "true"u8 : "false"u8);
                break;
            case FieldKind.Duration:
                AppendMilliseconds(value.Integer);
                break;
            case FieldKind.Formatted:
                AppendQuoted(value.Formatted!);
                break;
            case FieldKind.List:
                var inner = new Utf8Line();
                inner.AppendList(value.Items);
                AppendQuoted(Encoding.UTF8.GetString(inner.Bytes));
                break;
            default:
                break;
        }
    }

    /// <summary>As an array of JSON.</summary>
    public void AppendList(IReadOnlyList<FieldValue> items)
    {
        Append((byte)'[');
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
            {
                Append((byte)',');
            }
            AppendJson(items[i]);
        }
        Append((byte)']');
    }

    /// <summary>As a value of JSON; a number that JSON does not have is text.</summary>
    public void AppendJson(FieldValue value)
    {
        switch (value)
        {
            case { Kind: FieldKind.Null }:
                Append("null"u8);
                break;
            case { Kind: FieldKind.Number, Number: var number } when !double.IsFinite(number):
                AppendQuoted(number.ToString(CultureInfo.InvariantCulture));
                break;
            case { Kind: FieldKind.List }:
                AppendList(value.Items);
                break;
            case { Kind: FieldKind.Formatted, Formatted: decimal or ulong }:
                Append(value.Formatted);
                break;
            default:
                Append(value);
                break;
        }
    }

    /// <summary>In quotes, with the escapes of JSON, so that it is one line whatever it holds.</summary>
    public void AppendQuoted(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyExcept(Plain))
        {
            var room = Room(text.Length + 2);
            room[0] = (byte)'"';
            Ascii.FromUtf16(text, room[1..], out _);
            room[text.Length + 1] = (byte)'"';
            length += text.Length + 2;
            return;
        }
        Append((byte)'"');
        for (var at = text.IndexOfAny(Escaped); at >= 0; at = text.IndexOfAny(Escaped))
        {
            Append(text[..at]);
            AppendEscape(text[at]);
            text = text[(at + 1)..];
        }
        Append(text);
        Append((byte)'"');
    }

    /// <summary>The date, <paramref name="separator"/>, and the time to the second.</summary>
    public void AppendTime(DateTime time, char separator)
    {
        var at = time.Ticks / TimeSpan.TicksPerSecond;
        if (at != secondAt)
        {
            time.TryFormat(second, out _, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
            secondAt = at;
        }
        second[10] = (byte)separator;
        Append(second);
    }

    /// <summary>Milliseconds with three decimals.</summary>
    public void AppendMilliseconds(long microseconds)
    {
        if (microseconds < 0)
        {
            Append((byte)'-');
            microseconds = -microseconds;
        }
        Append(microseconds / 1000);
        Append((byte)'.');
        AppendDigits((int)(microseconds % 1000), 3);
    }

    /// <summary>A fixed number of digits, with leading zeros.</summary>
    public void AppendDigits(int value, int digits)
    {
        PutDigits(Room(digits)[..digits], value);
        length += digits;
    }

    /// <summary>A key of printable ASCII and an equals sign, with a space before them or not.</summary>
    public void AppendKey(string key, bool isFirst)
    {
        // One write for all: keys are half of a line.
        var room = Room(key.Length + 2);
        var start = isFirst ? 0 : 1;
        room[0] = (byte)' ';
        Ascii.FromUtf16(key, room[start..], out _);
        room[start + key.Length] = (byte)'=';
        length += start + key.Length + 1;
    }

    private static void PutDigits(Span<byte> digits, int value)
    {
        for (var i = digits.Length - 1; i >= 0; i--, value /= 10)
        {
            digits[i] = (byte)('0' + value % 10);
        }
    }

    private void AppendQuoted(IUtf8SpanFormattable value)
    {
        var start = length;
        Append((byte)'"');
        Append(value);
        if (Bytes[(start + 1)..].ContainsAnyExcept(PlainBytes))
        {
            var text = Encoding.UTF8.GetString(Bytes[(start + 1)..]);
            length = start;
            AppendQuoted(text);
            return;
        }
        Append((byte)'"');
    }

    private void AppendEscape(char character)
    {
        Append((byte)'\\');
        switch (character)
        {
            case '"' or '\\':
                Append((byte)character);
                break;
            case '\n':
                Append((byte)'n');
                break;
            case '\r':
                Append((byte)'r');
                break;
            case '\t':
                Append((byte)'t');
                break;
            default:
                Append((byte)'u');
                Append((int)character, "x4");
                break;
        }
    }

    private Span<byte> Room(int bytes)
    {
        if (buffer.Length - length < bytes)
        {
            Array.Resize(ref buffer, Math.Max(buffer.Length * 2, length + bytes));
        }
        return buffer.AsSpan(length);
    }
}
