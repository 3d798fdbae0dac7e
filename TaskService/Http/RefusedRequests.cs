using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Http.Features;

namespace TaskService.Http;

/// <summary>
/// What the server refuses before it is a request that anyone could answer, such as a line that is too long: counted,
/// and logged in a line of its own.
/// </summary>
internal sealed class RefusedRequests(RequestLog log) : IObserver<KeyValuePair<string, object?>>
{
    // Documented with Kestrel; sent for bodies that are refused while an endpoint reads them, too.
    private const string BadRequest = "Microsoft.AspNetCore.Server.Kestrel.BadRequest";

    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> Refusals = Meter.CreateCounter<long>(
        "taskservice.http.refusals", "{request}", "What the server refused before it was a request, by status.");

    /// <summary>Listens until the server ends.</summary>
    public void Watch(IServiceProvider services)
    {
        services.GetRequiredService<DiagnosticListener>().Subscribe(this, name => name == BadRequest);
        services.GetRequiredService<RefusedStreams>().Watch(services.GetRequiredService<ILoggerFactory>(), this);
    }

    /// <param name="ip">Of the client.</param>
    /// <param name="reason">In words of the server.</param>
    /// <param name="status">Of HTTP/1.1.</param>
    /// <param name="protocol">When it is another one, which has no statuses for this.</param>
    public void Refuse(IPAddress? ip, string reason, int status, string? protocol = null)
    {
        Refusals.Add(1, new KeyValuePair<string, object?>("status", status));
        if (LimitOf(status) is { } limit)
        {
            RequestLimits.CountHit(limit);
        }
        log.Refused(ip, reason, status, protocol);
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is not IFeatureCollection features
            || features.Get<IHttpResponseFeature>()?.Headers.ContainsKey(RequestIds.Header) is true
            || features.Get<IBadRequestExceptionFeature>()?.Error is not BadHttpRequestException error)
        {
            return;
        }
        Refuse(features.Get<IHttpConnectionFeature>()?.RemoteIpAddress, error.Message, error.StatusCode);
    }

    public void OnCompleted()
    {
        // With the server.
    }

    public void OnError(Exception error)
    {
        // None is ever sent.
    }

    private static string? LimitOf(int status) => status switch
    {
        StatusCodes.Status408RequestTimeout => "header-time-max-ms",
        StatusCodes.Status414UriTooLong => "request-line-bytes-max",
        StatusCodes.Status431RequestHeaderFieldsTooLarge => "header-bytes-max",
        _ => null,
    };
}
