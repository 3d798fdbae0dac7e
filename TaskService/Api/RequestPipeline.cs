using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;
using TaskService.Telemetry;
using TaskService.Telemetry.Propagation;

namespace TaskService.Api;

/// <summary>
/// The way of every request: its id and operation, the resource and its endpoint, what goes wrong on the way, the
/// answer, and one canonical line at the end, whatever happened.
/// </summary>
/// <param name="routes">The resources.</param>
/// <param name="writer">Sends answers.</param>
/// <param name="log">Writes the lines.</param>
/// <param name="telemetry">Observes the request.</param>
/// <param name="ids">Finds or makes request ids.</param>
/// <param name="limits">How many, and how long.</param>
/// <param name="tellsTime">Whether answers have <see cref="ServerTiming.Header"/>.</param>
/// <param name="stopping">Cancelled when the service is about to stop: connections are not to be kept then.</param>
internal sealed class RequestPipeline(
    Routes routes,
    AnswerWriter writer,
    RequestLog log,
    TelemetrySystem telemetry,
    RequestIds ids,
    RequestLimits limits,
    bool tellsTime,
    CancellationToken stopping)
{
    public async Task InvokeAsync(HttpContext http)
    {
        var started = Stopwatch.GetTimestamp();
        var target = RequestTarget.Parse(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var operation = telemetry.StartRequest(
            ids.For(http.Request.Headers), TracePropagation.Read(http.Request.Headers, HeaderOf), RequestLog.Names);
        log.Request(http, operation, target);

        var headers = http.Response.Headers;
        headers[RequestIds.Header] = operation.Id;
        if (stopping.IsCancellationRequested)
        {
            headers.Connection = "close";
        }
        var route = routes.Find(target.Path, out var id);
        var template = route?.Template ?? RequestOutcome.NotFound;
        if (tellsTime)
        {
            ServerTiming.Tell(http.Response, template, started, operation);
        }
        if (route is not null && http.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
        {
            // Someone listens to http.server.request.duration, which knows no routes but those of the framework.
            metrics.Tags.Add(new("http.route", route.Template));
        }
        var answer = route is null ? Problem.UnknownEndpoint : await AnswerAsync(http, route, target, id);
        var coding = AnswerWriter.Negotiate(http.Request, ref answer);
        var (status, bytes, exception) = (answer.Status, 0L, answer.Exception);
        // What is left of a body that is not framed correctly cannot be told from the next request.
        if (exception is BadHttpRequestException)
        {
            headers.Connection = "close";
        }
        // What is on its way already can only be broken off, so that the client sees that it is not whole; and one
        // that has gone gets nothing.
        if (status == RequestOutcome.ClientClosedRequest || (exception is not null && http.Response.HasStarted))
        {
            Abort(http);
        }
        else
        {
            try
            {
                bytes = await writer.WriteAsync(http, answer, coding, operation, target);
            }
            catch (Exception error)
            {
                (exception, status) = (error, AnswerTo(http, error).Status);
                Abort(http);
            }
        }
        var reason = status == RequestOutcome.ClientClosedRequest ? null : answer.Problem?.Message;
        log.Response(http, operation, target, new RequestOutcome(
            status, template, reason, bytes, Stopwatch.GetElapsedTime(started), exception));
        if (answer.Problem is not null && exception is null)
        {
            await RequestBody.DrainAsync(http.Request, http.RequestAborted);
        }
    }

    private static string? HeaderOf(IHeaderDictionary headers, string name) => name switch
    {
        // The server has these at hand, where others are looked up.
        "traceparent" => headers.TraceParent is [var only] ? only : null,
        "tracestate" => headers.TraceState is { Count: > 0 } states ? states.ToString() : null,
        "baggage" => headers.Baggage is { Count: > 0 } baggage ? baggage.ToString() : null,
        _ => headers.TryGetValue(name, out var values) && values is [var first, ..] ? first : null,
    };

    private static void Abort(HttpContext http)
    {
        http.Abort();
        if (!HttpProtocol.IsHttp2(http.Request.Protocol))
        {
            // Else the server would look for the next request in what is left of this one, in HTTP/1.0 as well.
            http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    private async ValueTask<Answer> AnswerAsync(HttpContext http, Route route, RequestTarget target, string id)
    {
        if (route.Find(http.Request.Method) is not { } endpoint)
        {
            return (Answer)Problem.MethodNotAllowed with { Allow = route.Allow };
        }
        if (route.IsLimited && !limits.TryEnter())
        {
            return Problem.Overloaded;
        }
        try
        {
            var deadline = RequestDeadline.Take();
            var work = endpoint(http, target, id, deadline.Token);
            if (!work.IsCompletedSuccessfully)
            {
                return await WithinTimeAsync(http, work, deadline);
            }
            // What is there at once needs no limit, whose timer and token would cost more than reading the task.
            var answer = await work;
            if (answer.Tasks is null)
            {
                deadline.PutBack();
            }
            return answer;
        }
        catch (Exception error)
        {
            return AnswerTo(http, error) with { Exception = error };
        }
        finally
        {
            if (route.IsLimited)
            {
                limits.Leave();
            }
        }
    }

    private async ValueTask<Answer> WithinTimeAsync(
        HttpContext http, ValueTask<Answer> work, RequestDeadline deadline)
    {
        // What streams the answer goes on with its token.
        http.Response.RegisterForDispose(deadline);
        var gone = http.RequestAborted;
        deadline.Start(limits.TimeMax, gone);
        try
        {
            return await work;
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            RequestLimits.CountHit("request-time-max-ms");
            return Problem.TimedOut;
        }
        catch (StorageException error)
            when (error.InnerException is OperationCanceledException && !gone.IsCancellationRequested)
        {
            RequestLimits.CountHit("request-time-max-ms");
            throw;
        }
        finally
        {
            deadline.StopTime();
        }
    }

    private static Answer AnswerTo(HttpContext http, Exception error) => error switch
    {
        // Nobody reads this one any more; it is for the log.
        _ when IsGone(http, error) => new Answer { Status = RequestOutcome.ClientClosedRequest },
        StorageException storage => Problem.From(storage.Kind),
        BadHttpRequestException bad => Refuse(bad),
        _ => Problem.Unexpected,
    };

    private static Problem Refuse(BadHttpRequestException bad)
    {
        if (bad.StatusCode == StatusCodes.Status408RequestTimeout)
        {
            // It ran out of our time, or was slower than the server bears.
            RequestLimits.CountHit(
                bad.InnerException is OperationCanceledException ? "request-time-max-ms" : "bytes-per-second-min");
        }
        return new Problem(bad.StatusCode, ReasonPhrases.GetReasonPhrase(bad.StatusCode), bad.Message);
    }

    private static bool IsGone(HttpContext http, Exception error) =>
        error is ConnectionResetException
        || (http.RequestAborted.IsCancellationRequested
            && error is OperationCanceledException or ConnectionAbortedException
                or BadHttpRequestException { InnerException: OperationCanceledException }
                or StorageException { InnerException: OperationCanceledException });
}
