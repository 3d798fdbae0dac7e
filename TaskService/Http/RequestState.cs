using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using TaskService.Telemetry.Operations;

namespace TaskService.Http;

/// <summary>
/// What the pipeline knows of the current request, and its <see cref="HttpContext.RequestAborted"/>, which is cancelled
/// when the client has gone or the time limit of the request is over. Instances whose token was never linked, which
/// are most, are reused, unless an endpoint may still have the token.
/// </summary>
#pragma warning disable CA1001 // Disposed of when it ends, unless it is reused.
internal sealed class RequestState : IHttpRequestLifetimeFeature
#pragma warning restore CA1001
{
    [ThreadStatic]
    private static RequestState? idle;

    private readonly CancellationTokenSource source = new();
    private CancellationTokenRegistration clientGone;
    private CancellationToken? replacedToken;
    private IHttpRequestLifetimeFeature? connection;
    private bool isLinked;
    private bool isReusable;
    private bool closesConnection;

    public Operation Operation { get; private set; } = null!;

    public RequestTarget Target { get; private set; }

    /// <summary>A timestamp of <see cref="Stopwatch"/>: when the head of the request was read.</summary>
    public long Started { get; private set; }

    /// <summary>Whether an <see cref="ApiResult"/> is being sent, or was.</summary>
    public bool HasResult { get; private set; }

    /// <summary>The reason of a refusal or failure.</summary>
    public Problem? Problem { get; set; }

    /// <summary>The HTTP status of the response, or <see cref="RequestOutcome.ClientClosedRequest"/>.</summary>
    public int Status { get; set; }

    /// <summary>Whether it is one of those that the concurrency limit counts.</summary>
    public bool IsCounted { get; set; }

    /// <summary>How many bytes of an <see cref="ApiResult"/>'s body were handed to the server.</summary>
    public long BodyBytes { get; set; }

    /// <summary>Whether the response is that of an output cache, which has stored the id of another request.</summary>
    public bool IsFromCache { get; set; }

    /// <summary>Cancelled when the client has gone.</summary>
    public bool IsClientGone => connection!.RequestAborted.IsCancellationRequested;

    /// <summary>Whether the time limit ended the request, and not its client.</summary>
    public bool IsTimeOver => source.IsCancellationRequested && !IsClientGone;

    public CancellationToken RequestAborted
    {
        get => replacedToken ?? source.Token;
        set => replacedToken = value;
    }

    public static RequestState Of(HttpContext http) =>
        http.Features.Get<RequestState>() ?? throw new InvalidOperationException("outside of the request pipeline");

    /// <summary>
    /// Begins its part in the request. Headers that every response has are set when it starts, whoever has cleared it.
    /// </summary>
    public static RequestState Begin(
        HttpContext http, Operation operation, RequestTarget target, long started, bool closesConnection)
    {
        var state = idle ?? new RequestState();
        idle = null;
        (state.Operation, state.Target, state.Started) = (operation, target, started);
        (state.HasResult, state.Problem, state.BodyBytes) = (false, null, 0);
        (state.IsCounted, state.IsFromCache) = (false, false);
        (state.replacedToken, state.isReusable) = (null, true);
        state.connection = http.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>();
        http.Features.Set<IHttpRequestLifetimeFeature>(state);
        http.Features.Set(state);
        state.closesConnection = closesConnection;
        http.Response.OnStarting(
            static http =>
            {
                ((HttpContext)http).Features.Get<RequestState>()?.SetHeaders((HttpContext)http);
                return Task.CompletedTask;
            },
            http);
        return state;
    }

    /// <summary>
    /// Links the token. A request that is processed without waiting does not need it, and a timer and a registration
    /// would cost more than reading a task.
    /// </summary>
    /// <param name="timeMax">The time limit; null for none.</param>
    public void Watch(TimeSpan? timeMax)
    {
        isLinked = true;
        clientGone = connection!.RequestAborted.UnsafeRegister(
            static source => ((CancellationTokenSource)source!).Cancel(), source);
        if (timeMax is { } limit && !HasResult)
        {
            source.CancelAfter(limit);
        }
    }

    /// <summary>Sending is not limited in time, but by the rate at which the client reads.</summary>
    public void BeginResult()
    {
        HasResult = true;
        if (isLinked)
        {
            source.CancelAfter(Timeout.InfiniteTimeSpan);
        }
        if (source.IsCancellationRequested)
        {
            // The result says that the time is over.
            replacedToken = connection!.RequestAborted;
        }
    }

    /// <summary>
    /// Leaves the token to this request alone: work that an endpoint of a team has started with it, and not waited for,
    /// must not be cancelled by another request.
    /// </summary>
    public void KeepToken() => isReusable = false;

    public void Abort() => connection!.Abort();

    /// <summary>Ends its part in the request. What still runs for the request keeps the server's own token.</summary>
    public void End(HttpContext http)
    {
        if (!http.Response.HasStarted)
        {
            SetHeaders(http);
        }
        http.Features.Set(connection);
        http.Features.Set<RequestState>(null);
        (Operation, connection) = (null!, null);
        if (isLinked)
        {
            clientGone.Dispose();
            source.Dispose();
        }
        else if (isReusable)
        {
            idle = this;
        }
    }

    private void SetHeaders(HttpContext http)
    {
        var headers = http.Response.Headers;
        if (IsFromCache)
        {
            headers[RequestIds.Header] = Operation.Id;
        }
        else
        {
            headers.TryAdd(RequestIds.Header, Operation.Id);
        }
        if (closesConnection)
        {
            headers.Connection = "close";
        }
    }
}
