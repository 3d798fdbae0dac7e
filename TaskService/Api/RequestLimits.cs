namespace TaskService.Api;

/// <summary>How many requests are worked on at once, and how long one may take.</summary>
/// <param name="requestsMax">Beyond, a request is refused at once.</param>
/// <param name="timeMax">Beyond, it is given up.</param>
internal sealed class RequestLimits(int requestsMax, TimeSpan timeMax)
{
    private int current;

    /// <summary>How long one may take.</summary>
    public TimeSpan TimeMax => timeMax;

    /// <returns>False when there are too many; only then <see cref="Leave"/> is not to be called.</returns>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref current) <= requestsMax)
        {
            return true;
        }
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref current);
}
