using System.Diagnostics;
using System.Net.Http.Headers;
using TaskService.Telemetry.Propagation;

namespace TaskService.Telemetry.Operations;

/// <summary>
/// Observes the calls of an HttpClient as operations <c>.httpclient</c>, and propagates the trace context and the
/// request id in headers. Headers that are already set stay. It does nothing outside of operations and in exporters.
/// </summary>
public sealed class OperationHandler : DelegatingHandler
{
    /// <summary>The header that propagates the id of the request.</summary>
    public const string RequestIdHeader = "X-Request-ID";

    /// <summary>The status of a call without a response.</summary>
    public const int NoResponse = 599;

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var operation = Begin(request);
        try
        {
            return Responded(operation, await base.SendAsync(request, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception error)
        {
            Failed(operation, error);
            throw;
        }
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var operation = Begin(request);
        try
        {
            return Responded(operation, base.Send(request, cancellationToken));
        }
        catch (Exception error)
        {
            Failed(operation, error);
            throw;
        }
    }

    private static Operation Begin(HttpRequestMessage request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (Operation.Current is not { } caller || OperationSource.IsExporting)
        {
            return Operation.None;
        }
        var operation = Operation.Start(".httpclient", kind: ActivityKind.Client);
        TracePropagation.Write(operation.Trace, caller.Telemetry.Propagation, request.Headers, SetHeader);
        SetHeader(request.Headers, RequestIdHeader, caller.Id);
        operation.Set("request.method", request.Method.Method);
        // Without parts that may be secret: user, password and query.
        operation.Set("request.uri", request.RequestUri?.GetComponents(
            UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));
        operation.Set("request.size", request.Content is null ? 0 : SizeOf(request.Content));
        return operation;
    }

    private static HttpResponseMessage Responded(Operation operation, HttpResponseMessage response)
    {
        operation.Set("response.code", (int)response.StatusCode);
        operation.Set("response.size", SizeOf(response.Content));
        return response;
    }

    private static void Failed(Operation operation, Exception error)
    {
        operation.Set("response.code", NoResponse);
        operation.Fail(error);
    }

    /// <summary>Null when there is no <c>Content-Length</c>.</summary>
    private static FieldValue SizeOf(HttpContent content) =>
        content.Headers.ContentLength is { } bytes ? bytes : default(FieldValue);

    private static void SetHeader(HttpRequestHeaders headers, string name, string value)
    {
        if (!headers.Contains(name))
        {
            headers.TryAddWithoutValidation(name, value);
        }
    }
}
