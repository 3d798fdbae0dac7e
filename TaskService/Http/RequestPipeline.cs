using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.WebUtilities;
using TaskService.Domain;
using TaskService.Telemetry.Operations;
using TaskService.Telemetry.Propagation;

namespace TaskService.Http;

/// <summary>
/// The middleware around routing: request id, operation, path as it was sent, time limit, problem bodies for whatever
/// fails without one, and one canonical line at the end, whoever answered.
/// </summary>
/// <param name="log">Writes the lines.</param>
/// <param name="telemetry">Observes the request.</param>
/// <param name="ids">Finds or makes request ids.</param>
/// <param name="limits">Concurrency and time limits.</param>
/// <param name="options">Of the responses.</param>
/// <param name="stopping">Cancelled when the service is about to stop: connections are not to be kept then.</param>
internal sealed class RequestPipeline(
    RequestLog log,
    OperationSource telemetry,
    RequestIds ids,
    RequestLimits limits,
    RequestPipeline.Options options,
    CancellationToken stopping)
{
    /// <summary>
    /// Adds this middleware, routing, the middleware of the framework whose services are registered, and the
    /// concurrency limit. Endpoints, and middleware of a service's own, come behind it.
    /// </summary>
    /// <param name="app">Without middleware yet.</param>
    /// <param name="services">Those that were registered.</param>
    public void Use(WebApplication app, IServiceCollection services)
    {
        var endpoints = app.Services.GetRequiredService<EndpointDataSource>();
        RequestDelegate server = http => EndpointMethods.AnswerServerAsync(http, endpoints);
        app.Use(next =>
        {
            // Routing builds its table at the first request, so here is one, while the server begins to listen.
            _ = Task.Run(() => next(new DefaultHttpContext()));
            return http => InvokeAsync(http, next, server);
        });
        app.UseRouting();
        OnPort.Use(app, options.OwnPort);
        FrameworkMiddleware.Use(app, services, limits.Limit);
    }

    private async Task InvokeAsync(HttpContext http, RequestDelegate next, RequestDelegate server)
    {
        var started = Stopwatch.GetTimestamp();
        var target = RequestTarget.Of(http);
        var operation = telemetry.StartRequest(
            ids.For(http.Request.Headers), TracePropagation.Read(http.Request.Headers, HeaderOf), RequestLog.Names);
        var state = RequestState.Begin(
            http, operation, target, started, closesConnection: stopping.IsCancellationRequested);
        log.Request(http, operation, target);
        if (options.ServerTiming)
        {
            ServerTiming.SetHeader(http, started, operation);
        }
        // Routing compares the path as it was sent: nothing is decoded and no dots are folded.
        http.Request.Path = target.Path.StartsWith('/') ? new PathString(target.Path) : PathString.Empty;
        var exception = await ProcessAsync(http, state, target.Path == RequestTarget.Server ? server : next);
        if (state.IsCounted)
        {
            limits.Leave();
        }
        var reason = state.Status == RequestOutcome.ClientClosedRequest ? null : state.Problem?.Message;
        var bytes = state.HasResult ? state.BodyBytes : CountedBody.BytesOf(http);
        log.Response(http, operation, target, new RequestOutcome(
            state.Status, RequestOutcome.RouteOf(http), reason, bytes, Stopwatch.GetElapsedTime(started), exception));
        if (state.Problem is not null && exception is null)
        {
            await RequestBody.DrainAsync(http.Request, http.RequestAborted);
        }
        state.End(http);
    }

    /// <summary>Calls the rest of the pipeline, and answers where it did not.</summary>
    /// <returns>What was thrown; null when nothing was.</returns>
    private async ValueTask<Exception?> ProcessAsync(
        HttpContext http, RequestState state, RequestDelegate next)
    {
        try
        {
            var work = next(http);
            if (!work.IsCompleted)
            {
                state.Watch(TimeMaxOf(http));
            }
            await work;
            if (!state.HasResult)
            {
                LogResponseId(http, state.Operation);
                if (ProblemOf(http) is { } problem)
                {
                    await ResultWriter.WriteProblemAsync(http, problem);
                }
            }
            state.Status = http.Response.StatusCode;
            return null;
        }
        catch (OperationCanceledException) when (state.IsTimeOver && !HasBegun(http, state))
        {
            RequestLimits.CountHit("request-time-max-ms");
            return await FailAsync(http, state, Problem.TimedOut, null);
        }
        catch (Exception error)
        {
            if (error is StorageException { InnerException: OperationCanceledException } && !state.IsClientGone)
            {
                RequestLimits.CountHit("request-time-max-ms");
            }
            return await FailAsync(http, state, ProblemOf(state, error), error);
        }
    }

    private static bool HasBegun(HttpContext http, RequestState state) =>
        http.Response.HasStarted || state.HasResult;

    /// <param name="http">Of the request.</param>
    /// <param name="state">Of the request.</param>
    /// <param name="problem">Null when the client has gone.</param>
    /// <param name="error">The exception, if that is why.</param>
    private async ValueTask<Exception?> FailAsync(
        HttpContext http, RequestState state, Problem? problem, Exception? error)
    {
        // A response that has begun can only be broken off, so that the client sees that it is not whole.
        if (problem is null || HasBegun(http, state))
        {
            state.Problem = problem;
            Abort(http);
            state.Status = problem?.Status ?? RequestOutcome.ClientClosedRequest;
            return error;
        }
        http.Response.Clear();
        if (error is BadHttpRequestException)
        {
            // The rest of a body that is not framed correctly cannot be told from the next request.
            http.Response.Headers.Connection = "close";
        }
        try
        {
            await ResultWriter.WriteProblemAsync(http, problem, options.Debug ? error?.ToString() : null);
            state.Status = problem.Status;
            return error;
        }
        catch (Exception failure)
        {
            Abort(http);
            state.Status = ProblemOf(state, failure)?.Status ?? RequestOutcome.ClientClosedRequest;
            return failure;
        }
    }

    /// <summary>The time limit of the request; null when its endpoint has none, or one of its own.</summary>
    private TimeSpan? TimeMaxOf(HttpContext http) =>
        http.GetEndpoint()?.Metadata.GetMetadata<DisableRequestTimeoutAttribute>() is null
        && http.Features.Get<IHttpRequestTimeoutFeature>() is null
            ? limits.TimeMax
            : null;

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

    /// <summary>The client refers to the id of the response, which may be one that the endpoint has set.</summary>
    private static void LogResponseId(HttpContext http, Operation operation)
    {
        if (http.Response.Headers[RequestIds.Header] is [var answered, ..] && answered != operation.Id)
        {
            operation.Set("answered_id", answered);
        }
    }

    /// <summary>
    /// The problem where routing, a middleware or an endpoint has set only a status; null when there is none, or when
    /// the response has a body.
    /// </summary>
    private static Problem? ProblemOf(HttpContext http)
    {
        var response = http.Response;
        if (response.StatusCode < StatusCodes.Status400BadRequest || response.HasStarted
            || response.ContentLength > 0 || response.ContentType is not null)
        {
            return null;
        }
        return response.StatusCode == StatusCodes.Status404NotFound && http.GetEndpoint() is null
            ? Problem.UnknownEndpoint
            : new Problem(response.StatusCode, ReasonPhrases.GetReasonPhrase(response.StatusCode));
    }

    /// <returns>Null when the client has gone.</returns>
    private static Problem? ProblemOf(RequestState state, Exception error) => error switch
    {
        _ when IsClientGone(state, error) => null,
        StorageException storage => Problem.From(storage.Kind),
        BadHttpRequestException bad => ProblemOf(bad),
        _ => Problem.Unexpected,
    };

    private static Problem ProblemOf(BadHttpRequestException bad)
    {
        if (bad.StatusCode == StatusCodes.Status408RequestTimeout)
        {
            RequestLimits.CountHit(
                bad.InnerException is OperationCanceledException ? "request-time-max-ms" : "bytes-per-second-min");
        }
        return new Problem(bad.StatusCode, ReasonPhrases.GetReasonPhrase(bad.StatusCode), bad.Message);
    }

    private static bool IsClientGone(RequestState state, Exception error) =>
        error is ConnectionResetException
        || (state.IsClientGone
            && error is OperationCanceledException or ConnectionAbortedException
                or BadHttpRequestException { InnerException: OperationCanceledException }
                or StorageException { InnerException: OperationCanceledException });

    /// <param name="Debug">Whether problem bodies have <c>trace</c>.</param>
    /// <param name="ServerTiming">Whether responses have <c>Server-Timing</c>.</param>
    /// <param name="OwnPort">The port of the endpoints that are <see cref="OnPort"/>; null when there are none.</param>
    internal readonly record struct Options(bool Debug, bool ServerTiming, int? OwnPort = null);
}
