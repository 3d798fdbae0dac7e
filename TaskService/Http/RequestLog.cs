using System.Collections.Frozen;
using System.Net;
using System.Text;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Metadata;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Http;

/// <summary>
/// The two lines of a request: REQUEST when it comes, at debug, and RESPONSE, the canonical one, when it is answered.
/// What never became a request has REFUSED.
/// </summary>
/// <param name="logger">Gets the lines, and decides which levels are written.</param>
/// <param name="serviceName">Of the settings.</param>
internal sealed class RequestLog(ILogger logger, string serviceName)
{
    /// <summary>The names of the canonical line. Code that sets fields of a request has others.</summary>
    public static readonly FrozenSet<string> Names = FrozenSet.Create(
        StringComparer.Ordinal,
        [
            "req_id", "method", "uri", "ip", "reason", LogEvent.Message, "status", "time_ms", LogEvent.Trace, "route",
            "bytes", "user_agent", "trace_id", "scheme", "user",
        ]);

    [ThreadStatic]
    private static FieldList? threadFields;

    [ThreadStatic]
    private static FieldList? threadRecord;

    public void Request(HttpContext http, Operation operation, RequestTarget target)
    {
        if (!logger.IsEnabled(LogLevel.Debug))
        {
            return;
        }
        var fields = Begin(http, operation, target);
        fields.Append(LogEvent.Message, "REQUEST");
        fields.Append("service_name", serviceName);
        LogFields.Write(logger, LogLevel.Debug, fields);
    }

    public void Response(HttpContext http, Operation operation, RequestTarget target, in RequestOutcome outcome)
    {
        var level = operation.Level ?? outcome.Status switch
        {
            >= 500 => LogLevel.Error,
            >= 400 and not RequestOutcome.ClientClosedRequest => LogLevel.Warning,
            _ => LogLevel.Information,
        };
        var isWritten = logger.IsEnabled(level);
        if (!isWritten && !operation.IsRead)
        {
            return;
        }
        var fields = Begin(http, operation, target);
        if (outcome.Reason is not null)
        {
            fields.Append("reason", outcome.Reason);
        }
        fields.Append(LogEvent.Message, "RESPONSE");
        fields.Append("status", outcome.Status);
        fields.Append("time_ms", outcome.Elapsed);
        var exception = outcome.Status >= 500 ? outcome.Exception : null;
        if (exception is not null)
        {
            fields.Append(LogEvent.Trace, exception.ToString());
        }
        fields.Append("route", outcome.Route);
        fields.Append("bytes", outcome.BodyBytes);
        fields.Append("user_agent", http.Request.Headers.UserAgent is [{ } agent, ..] ? Text(agent) : null);
        if (RequestUser.Of(http) is { } user)
        {
            fields.Append("user", user);
        }
        fields.Append("trace_id", operation.TraceId);
        if (http.Request.IsHttps)
        {
            fields.Append("scheme", "https");
        }
        var own = fields.Count;
        if (isWritten)
        {
            operation.CopyTo(fields);
            LogFields.Write(logger, level, fields, exception);
        }
        if (operation.IsRead)
        {
            End(operation, fields.Items[..own], outcome);
        }
    }

    /// <summary>One line for what the server refused before there was a request.</summary>
    public void Refused(IPAddress? ip, string reason, int status, string? protocol)
    {
        if (!logger.IsEnabled(LogLevel.Warning))
        {
            return;
        }
        var fields = Begin();
        fields.Append("ip", Address(ip));
        fields.Append("reason", reason);
        fields.Append(LogEvent.Message, "REFUSED");
        fields.Append("status", status);
        if (protocol is not null)
        {
            fields.Append("protocol", protocol);
        }
        LogFields.Write(logger, LogLevel.Warning, fields);
    }

    private static void End(Operation operation, ReadOnlySpan<Field> line, in RequestOutcome outcome)
    {
        if (outcome is { Status: >= 500, Exception: { } error })
        {
            operation.Fail(error);
        }
        // Statistics find what they need among all fields.
        operation.End(operation.IsRecorded ? Record(line) : line, outcome.Elapsed);
    }

    /// <summary>The record has what the line has, but for what it says in other ways.</summary>
    private static ReadOnlySpan<Field> Record(ReadOnlySpan<Field> line)
    {
        var record = threadRecord ??= new FieldList();
        record.Clear();
        foreach (var field in line)
        {
            if (field.Key is not ("req_id" or "trace_id" or "time_ms" or LogEvent.Message or LogEvent.Trace))
            {
                record.Append(field.Key, field.Value);
            }
        }
        return record.Items;
    }

    private static FieldList Begin(HttpContext http, Operation operation, RequestTarget target)
    {
        var fields = Begin();
        fields.Append("req_id", operation.Id);
        fields.Append("method", http.Request.Method);
        fields.Append("uri", target.ToString());
        fields.Append("ip", Address(http.Connection.RemoteIpAddress));
        return fields;
    }

    private static FieldList Begin()
    {
        var fields = threadFields ??= new FieldList();
        fields.Clear();
        return fields;
    }

    /// <summary>The text of a header, whose bytes the server gives as Latin-1: UTF-8 where they are that.</summary>
    private static string Text(string header)
    {
        if (Ascii.IsValid(header))
        {
            return header;
        }
        var bytes = Encoding.Latin1.GetBytes(header);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : header;
    }

    private static FieldValue Address(IPAddress? ip) =>
        FieldValue.FromFormattable(ip is { IsIPv4MappedToIPv6: true } ? ip.MapToIPv4() : ip);
}

/// <summary>How a request ended.</summary>
/// <param name="Status">The HTTP status, or <see cref="ClientClosedRequest"/>.</param>
/// <param name="Route">The template of the resource, or <see cref="NotFound"/>.</param>
/// <param name="Reason">The message of the problem, if there was one.</param>
/// <param name="BodyBytes">How many bytes of the body were handed to the server.</param>
/// <param name="Elapsed">Since the head was read.</param>
/// <param name="Exception">What was thrown, if anything.</param>
internal readonly record struct RequestOutcome(
    int Status, string Route, string? Reason, long BodyBytes, TimeSpan Elapsed, Exception? Exception)
{
    /// <summary>The client went away before it got its answer.</summary>
    public const int ClientClosedRequest = 499;

    /// <summary>The route of what has none.</summary>
    public const string NotFound = OperationRecord.NoRoute;

    /// <summary>The route of the endpoint that was found, or <see cref="NotFound"/>.</summary>
    public static string RouteOf(HttpContext http) =>
        http.GetEndpoint()?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route ?? NotFound;
}
