using System.Diagnostics;
using System.Globalization;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// A sampled operation as an <see cref="Activity"/>: libraries that use activities join its trace, and OpenTelemetry
/// exporters send it. Tags have the names of the semantic conventions
/// (https://opentelemetry.io/docs/specs/semconv/), where these have one, else those of the fields.
/// </summary>
internal static class OperationSpan
{
    private const string Method = "http.request.method";
    private const string Status = "http.response.status_code";

    /// <summary>Starts the activity, which is current from now on.</summary>
    /// <param name="source">Has a listener.</param>
    /// <param name="place">Gets the span id of the activity.</param>
    /// <param name="operation">Has just begun.</param>
    /// <param name="start">UTC.</param>
    public static Activity? Begin(ActivitySource source, ref TraceContext place, Operation operation, DateTime start)
    {
        var isRemote = operation.Enclosing is null;
        var parent = new ActivityContext(
            place.TraceId, place.ParentId ?? default, ActivityTraceFlags.Recorded, place.State, isRemote);
        if (source.CreateActivity(operation.Type, operation.Kind, parent) is not { } span)
        {
            return null;
        }
        span.SetStartTime(start).Start();
        place = place with { SpanId = span.SpanId };
        return span;
    }

    /// <summary>Ends the activity, with the tags and the outcome of the record.</summary>
    public static void End(Activity span, OperationRecord record)
    {
        span.SetTag("req_id", record.Id);
        foreach (var (key, value) in record.Fields)
        {
            if (key == "exception" && record.Error is not null)
            {
                // The exception is an event of the span already.
                continue;
            }
            if (record.Kind == ActivityKind.Server)
            {
                SetOfRequest(span, key, value);
            }
            else
            {
                SetOfOther(span, key, value);
            }
        }
        if (record.Kind == ActivityKind.Server && span.GetTagItem("url.scheme") is null)
        {
            span.SetTag("url.scheme", "http");
        }
        span.DisplayName = NameOf(span, record);
        SetStatus(span, record);
        span.SetEndTime(record.End);
        span.Stop();
    }

    private static void SetOfRequest(Activity span, string key, FieldValue value)
    {
        switch (key)
        {
            case "method":
                var method = OperationKey.Known(value.Text ?? "");
                span.SetTag(Method, method);
                span.SetTag("http.request.method_original", method == value.Text ? null : value.Text);
                break;
            case "uri":
                var target = value.Text ?? "";
                var query = target.IndexOf('?', StringComparison.Ordinal);
                span.SetTag("url.path", query < 0 ? target : target[..query]);
                span.SetTag("url.query", query < 0 ? null : target[(query + 1)..]);
                break;
            case "route" when value.Text == OperationRecord.NoRoute:
                break;
            case "route":
                span.SetTag("http.route", value.Text);
                break;
            default:
                span.SetTag(
                    key switch
                    {
                        "ip" => "client.address",
                        "status" => Status,
                        "bytes" => "http.response.body.size",
                        "user_agent" => "user_agent.original",
                        "scheme" => "url.scheme",
                        _ => key,
                    },
                    ToTag(value));
                break;
        }
    }

    private static void SetOfOther(Activity span, string key, FieldValue value)
    {
        switch (key)
        {
            case "request.uri" when Uri.TryCreate(value.Text, UriKind.Absolute, out var uri):
                span.SetTag("url.full", value.Text);
                span.SetTag("server.address", uri.IdnHost);
                span.SetTag("server.port", uri.Port);
                break;
            // Without a response there is no status.
            case "response.code" when value.Integer == OperationHandler.NoResponse:
                break;
            default:
                span.SetTag(
                    key switch
                    {
                        "request.method" => Method,
                        "request.size" => "http.request.body.size",
                        "response.code" => Status,
                        "response.size" => "http.response.body.size",
                        "query" => "db.query.text",
                        _ => key,
                    },
                    ToTag(value));
                break;
        }
    }

    // Of low cardinality, by the conventions for HTTP spans and for database spans.
    private static string NameOf(Activity span, OperationRecord record)
    {
        if (span.GetTagItem(Method) is not string method)
        {
            return record.Type;
        }
        method = method == "_OTHER" ? "HTTP" : method;
        return span.GetTagItem("http.route") is string route ? $"{method} {route}" : method;
    }

    /// <summary>A 4xx is no error of a server span, but an error of a client span.</summary>
    private static void SetStatus(Activity span, OperationRecord record)
    {
        var status = span.GetTagItem(Status) as long? ?? 0;
        var isError = status >= (record.Kind == ActivityKind.Server ? 500 : 400);
        if (record.Error is null && !isError)
        {
            return;
        }
        span.SetStatus(ActivityStatusCode.Error, record.Error);
        if (span.GetTagItem("error.type") is null)
        {
            span.SetTag("error.type", $"{status}");
        }
    }

    // The items of a list may be of several kinds, those of a tag may not.
    private static object? ToTag(FieldValue value) => value.Kind == FieldKind.List
        ? value.Items.Select(TextOf).ToArray()
        : value.ToObject();

    private static string TextOf(FieldValue value) => value.Kind == FieldKind.List
        ? $"[{string.Join(", ", value.Items.Select(TextOf))}]"
        : Convert.ToString(ToTag(value), CultureInfo.InvariantCulture) ?? "";
}
