using System.Diagnostics;
using System.Globalization;
using System.Text;
using TaskService.Telemetry.Operations;

namespace TaskService.Http;

/// <summary>
/// How long an answer took, for the tools of a browser: <c>route;desc="/tasks/{id}";dur=1.234</c>, in milliseconds,
/// then whatever the request's operation timed. See https://www.w3.org/TR/server-timing/.
/// </summary>
internal static class ServerTiming
{
    public const string Header = "Server-Timing";

    /// <summary>Sets the header when the response starts, which may be when the pipeline has ended.</summary>
    /// <param name="http">Of the request.</param>
    /// <param name="started">When the head of the request was read; a timestamp of <see cref="Stopwatch"/>.</param>
    /// <param name="operation">Of the request.</param>
    public static void SetHeader(HttpContext http, long started, Operation operation) => http.Response.OnStarting(() =>
    {
        http.Response.Headers[Header] = Of(
            RequestOutcome.RouteOf(http), Stopwatch.GetElapsedTime(started), operation);
        return Task.CompletedTask;
    });

    private static string Of(string route, TimeSpan elapsed, Operation operation)
    {
        var text = new StringBuilder("route;desc=\"").Append(route).Append("\";dur=");
        Append(text, elapsed.TotalMilliseconds);
        var fields = new FieldList();
        operation.CopyTo(fields);
        foreach (var (key, value) in fields.Items)
        {
            if (value.Kind == FieldKind.Duration && IsToken(key))
            {
                Append(text.Append(", ").Append(key).Append(";dur="), value.Integer / 1000.0);
            }
        }
        return text.ToString();
    }

    private static void Append(StringBuilder text, double milliseconds) =>
        text.Append(CultureInfo.InvariantCulture, $"{milliseconds:0.###}");

    // RFC 9110 section 5.6.2, but for the marks that no key needs.
    private static bool IsToken(string key) =>
        key.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
}
