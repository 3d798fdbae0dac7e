using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters;

/// <summary>
/// Writes one event per line: <c>{"id", "type", "host", "pid", "start", "end", "trace_id", "span_id", "parent_id",
/// "body"}</c>, the times in Unix seconds, the fields in <c>body</c>, nested where their keys are dotted.
/// </summary>
/// <param name="target">Disposed of at the end.</param>
public sealed class JsonEventExporter(LogTarget target) : IExporter, IDisposable
{
    private readonly ArrayBufferWriter<byte> lines = new();
    private IReadOnlyList<OperationRecord>? begun;
    private int written;

    /// <summary>To standard output.</summary>
    public static JsonEventExporter ToConsole() => new(new LogConsole());

    /// <summary>To a file.</summary>
    /// <exception cref="IOException">It cannot be written; the message says which and why.</exception>
    public static JsonEventExporter ToFile(LogFileSettings settings) => new(LogFile.Open(settings, "event file"));

    public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel)
    {
        if (batch != begun)
        {
            lines.ResetWrittenCount();
            foreach (var record in batch)
            {
                Write(lines, record);
            }
            (begun, written) = (batch, 0);
        }
        // A retry continues where the failed attempt ended.
        written += target.Write(lines.WrittenSpan[written..]);
        if (written < lines.WrittenCount)
        {
            throw new IOException("the events cannot be written");
        }
        begun = null;
        return ValueTask.CompletedTask;
    }

    public void Dispose() => target.Dispose();

    /// <summary>Writes one event, with the newline that ends it.</summary>
    internal static void Write(IBufferWriter<byte> output, OperationRecord record)
    {
        using var writer = new Utf8JsonWriter(
            output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("id", record.Id);
        writer.WriteString("type", record.Type);
        writer.WriteString("host", OperationRecord.Host);
        writer.WriteNumber("pid", OperationRecord.Pid);
        writer.WriteNumber("start", UnixSeconds(record.Start));
        writer.WriteNumber("end", UnixSeconds(record.End));
        writer.WriteString("trace_id", record.Trace.TraceId.ToHexString());
        writer.WriteString("span_id", record.Trace.SpanId.ToHexString());
        if (record.Trace.ParentId is { } parent)
        {
            writer.WriteString("parent_id", parent.ToHexString());
        }
        writer.WriteStartObject("body");
        WriteMembers(writer, [.. record.Fields], 0);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        output.Write("\n"u8);
    }

    private static decimal UnixSeconds(DateTime utc) =>
        (utc - DateTime.UnixEpoch).Ticks / (decimal)TimeSpan.TicksPerSecond;

    /// <param name="writer">Within an object.</param>
    /// <param name="fields">They share the beginning of their keys.</param>
    /// <param name="from">Index of the first character that is not shared.</param>
    private static void WriteMembers(Utf8JsonWriter writer, List<Field> fields, int from)
    {
        foreach (var member in fields.GroupBy(field => NameAt(field.Key, from)))
        {
            var end = from + member.Key.Length;
            writer.WritePropertyName(member.Key);
            if (member.First() is var first && first.Key.Length == end)
            {
                WriteValue(writer, first.Value);
                continue;
            }
            writer.WriteStartObject();
            WriteMembers(writer, [.. member], end + 1);
            writer.WriteEndObject();
        }
    }

    private static string NameAt(string key, int from) =>
        key.IndexOf('.', from) is >= 0 and var dot ? key[from..dot] : key[from..];

    private static void WriteValue(Utf8JsonWriter writer, FieldValue value)
    {
        var line = new Utf8Line();
        line.AppendJson(value);
        writer.WriteRawValue(line.Bytes, skipInputValidation: true);
    }
}
