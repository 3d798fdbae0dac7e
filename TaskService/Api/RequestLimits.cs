using System.Diagnostics.Metrics;

namespace TaskService.Api;

/// <summary>How many requests are worked on at once, and how long one may take.</summary>
/// <param name="requestsMax">Beyond, a request is refused at once.</param>
/// <param name="timeMax">Beyond, it is given up.</param>
internal sealed class RequestLimits(int requestsMax, TimeSpan timeMax)
{
    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> Hits = Meter.CreateCounter<long>(
        "taskservice.http.limit.hits", "{request}", "Requests that met a limit, by the name of its setting.");

    private int current;

    /// <summary>How long one may take.</summary>
    public TimeSpan TimeMax => timeMax;

    /// <param name="setting">Below <c>http</c>.</param>
    public static void CountHit(string setting) =>
        Hits.Add(1, new KeyValuePair<string, object?>("limit", setting));

    /// <returns>False when there are too many; only then <see cref="Leave"/> is not to be called.</returns>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref current) <= requestsMax)
        {
            return true;
        }
        Leave();
        CountHit("requests-max");
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref current);
}
