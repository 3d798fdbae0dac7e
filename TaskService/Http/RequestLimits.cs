using System.Diagnostics.Metrics;

namespace TaskService.Http;

/// <summary>The concurrency limit and the time limit of requests.</summary>
/// <param name="requestsMax">How many are processed at once; beyond, a request is refused.</param>
/// <param name="timeMax">How long one is processed; beyond, it is cancelled.</param>
internal sealed class RequestLimits(int requestsMax, TimeSpan timeMax)
{
    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> Hits = Meter.CreateCounter<long>(
        "taskservice.http.limit.hits", "{request}", "Requests that met a limit, by the name of its setting.");

    private int current;

    /// <summary>The time limit.</summary>
    public TimeSpan TimeMax => timeMax;

    /// <param name="setting">Below <c>http</c>.</param>
    public static void CountHit(string setting) =>
        Hits.Add(1, new KeyValuePair<string, object?>("limit", setting));

    /// <summary>The middleware behind routing that refuses what is too much at once.</summary>
    public RequestDelegate Limit(RequestDelegate next) => http =>
    {
        if (http.Features.Get<RequestState>() is not { } state)
        {
            // It was for routing alone.
            return Task.CompletedTask;
        }
        var metadata = http.GetEndpoint()?.Metadata;
        if (metadata?.GetMetadata<ApiResult.ResultMarker>() is null)
        {
            CountedBody.Begin(http);
            state.KeepToken();
        }
        if (metadata is null || metadata.GetMetadata<Unlimited>() is not null)
        {
            return next(http);
        }
        if (!TryEnter())
        {
            return ResultWriter.WriteProblemAsync(http, Problem.Overloaded);
        }
        state.IsCounted = true;
        return next(http);
    };

    /// <summary>To be called when a request that was counted has been processed.</summary>
    public void Leave() => Interlocked.Decrement(ref current);

    private bool TryEnter()
    {
        if (Interlocked.Increment(ref current) <= requestsMax)
        {
            return true;
        }
        Interlocked.Decrement(ref current);
        CountHit("requests-max");
        return false;
    }
}

/// <summary>
/// Metadata of an endpoint that is never refused because there are too many requests, such as a health check.
/// </summary>
internal sealed class Unlimited
{
    public static readonly Unlimited Metadata = new();
}
