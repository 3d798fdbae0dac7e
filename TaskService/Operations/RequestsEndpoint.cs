using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TaskService.Configuration;
using TaskService.Http;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// <c>requests.json</c>: the latest requests, with the fields of their line and what they have done. They are recorded
/// only while this is polled.
/// </summary>
internal static class RequestsEndpoint
{
    private const string After = "after";

    public static void MapRequests(this IEndpointRouteBuilder operations)
    {
        var latest = operations.ServiceProvider.GetRequiredService<TelemetrySystem>().Latest!;
        operations.MapGet("/requests.json", ApiResult (HttpContext http) =>
        {
            Operation.Current!.Level = LogLevel.Debug;
            long after = 0;
            var given = http.Request.Query[After];
            if (given.Count > 1 || (given.Count == 1
                && !long.TryParse(given[0], NumberStyles.None, CultureInfo.InvariantCulture, out after)))
            {
                return Problem.InvalidQuery($"{After} must be a number from an earlier response, not \"{given}\"");
            }
            return new ApiResult { Status = StatusCodes.Status200OK, Body = ToJson(latest.Read(after)) };
        });
    }

    private static ReadOnlyMemory<byte> ToJson((long Last, IReadOnlyList<LatestRequest> Requests) read)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        json.WriteStartObject();
        json.WriteNumber("last", read.Last);
        json.WriteStartArray("requests");
        foreach (var request in read.Requests)
        {
            Write(json, request);
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, LatestRequest request)
    {
        var record = request.Request;
        json.WriteStartObject();
        json.WriteNumber("seq", request.Number);
        json.WriteString("time", record.Start);
        json.WriteString("id", record.Id);
        foreach (var (key, value) in record.Fields.Where(field => field.Key is "method" or "uri" or "status"))
        {
            WriteValue(json, key, value);
        }
        json.WriteNumber("time_ms", Ms(record.Duration));
        json.WriteString("line", LineOf(record));
        json.WriteStartArray("operations");
        foreach (var (operation, depth) in request.Operations)
        {
            json.WriteStartObject();
            json.WriteString("type", operation.Type);
            json.WriteNumber("start_ms", Ms(operation.Start - record.Start));
            json.WriteNumber("time_ms", Ms(operation.Duration));
            json.WriteNumber("depth", depth);
            json.WriteStartObject("fields");
            foreach (var (key, value) in operation.Fields)
            {
                WriteValue(json, key, value);
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>
    /// The fields of the canonical line in logfmt: those of the record, and what it says in other ways.
    /// </summary>
    private static string LineOf(OperationRecord record)
    {
        var fields = new List<Field> { new("req_id", record.Id) };
        foreach (var field in record.Fields)
        {
            fields.AddRange(field.Key switch
            {
                "status" => [new(LogEvent.Message, "RESPONSE"), field, new("time_ms", record.Duration)],
                "user_agent" => [field, new("trace_id", record.Trace.TraceId.ToHexString())],
                "exception" => [new(LogEvent.Trace, field.Value)],
                _ => [field],
            });
        }
        var format = LogFormat.Create(
            new LogFormatSettings(LogFormatKind.Logfmt, [.. fields.Select(field => field.Key)]));
        var line = new Utf8Line();
        var items = fields.ToArray();
        format.Write(new LogEvent(record.End, LoggingSettings.LoggerName, LogLevel.Information, items), line);
        return Encoding.UTF8.GetString(line.Bytes).TrimEnd('\n');
    }

    private static void WriteValue(Utf8JsonWriter json, string key, FieldValue value)
    {
        var text = new Utf8Line();
        text.AppendJson(value);
        json.WritePropertyName(key);
        json.WriteRawValue(text.Bytes, skipInputValidation: true);
    }

    // Cut off, as in the line.
    private static double Ms(TimeSpan time) => time.Ticks / TimeSpan.TicksPerMicrosecond / 1000.0;
}
