using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;
using TaskService.Telemetry;

namespace TaskService.Api;

/// <summary>
/// The way of every request: its id and operation, the resource and its endpoint, what goes wrong on the way, the
/// answer, and one canonical line at the end, whatever happened.
/// </summary>
/// <param name="routes">The resources.</param>
/// <param name="writer">Sends answers.</param>
/// <param name="log">Writes the lines.</param>
/// <param name="ids">Finds or makes request ids.</param>
/// <param name="limits">How many, and how long.</param>
/// <param name="stopping">Cancelled when the service is about to stop: connections are not to be kept then.</param>
internal sealed class RequestPipeline(
    Routes routes,
    AnswerWriter writer,
    RequestLog log,
    RequestIds ids,
    RequestLimits limits,
    CancellationToken stopping)
{
    public async Task InvokeAsync(HttpContext http)
    {
        var started = Stopwatch.GetTimestamp();
        var target = RequestTarget.Parse(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var operation = new Operation(ids.For(http.Request.Headers));
        Operation.Current = operation;
        log.Request(http, operation, target);

        var headers = http.Response.Headers;
        headers[RequestIds.Header] = operation.Id;
        if (stopping.IsCancellationRequested)
        {
            headers.Connection = "close";
        }
        var (endpointAnswer, template, exception) = await AnswerAsync(http, target);
        var (answer, coding) = AnswerWriter.Negotiate(http.Request, endpointAnswer);
        var (status, bytes) = (answer.Status, 0L);
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
                bytes = await writer.WriteAsync(http, answer, coding, operation, target, exception);
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

    private static void Abort(HttpContext http)
    {
        http.Abort();
        if (!HttpProtocol.IsHttp2(http.Request.Protocol))
        {
            // Else the server would look for the next request in what is left of this one, in HTTP/1.0 as well.
            http.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    private async ValueTask<(Answer Answer, string Template, Exception? Exception)> AnswerAsync(
        HttpContext http, RequestTarget target)
    {
        if (!routes.TryFind(target.Path, out var route, out var id))
        {
            return (Problem.UnknownEndpoint, RequestOutcome.NotFound, null);
        }
        if (route.Find(http.Request.Method) is not { } endpoint)
        {
            return ((Answer)Problem.MethodNotAllowed with { Allow = route.Allow }, route.Template, null);
        }
        if (route.IsLimited && !limits.TryEnter())
        {
            return (Problem.Overloaded, route.Template, null);
        }
        try
        {
            return (await WithinTimeAsync(http, () => endpoint(http, target, id)), route.Template, null);
        }
        catch (Exception error)
        {
            return (AnswerTo(http, error), route.Template, error);
        }
        finally
        {
            if (route.IsLimited)
            {
                limits.Leave();
            }
        }
    }

    /// <summary>While it works, its cancellation also stands for the time that it has.</summary>
    private async ValueTask<Answer> WithinTimeAsync(HttpContext http, Func<ValueTask<Answer>> work)
    {
        var gone = http.RequestAborted;
        var time = CancellationTokenSource.CreateLinkedTokenSource(gone);
        // What streams the answer goes on with its token.
        http.Response.RegisterForDispose(time);
        time.CancelAfter(limits.TimeMax);
        http.RequestAborted = time.Token;
        try
        {
            return await work();
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
            time.CancelAfter(Timeout.InfiniteTimeSpan);
            http.RequestAborted = gone;
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
