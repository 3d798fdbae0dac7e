namespace TaskService.Api;

/// <summary>
/// Ends the work of a request when its time is over or its client has gone. It is started only when something has to be
/// waited for; most never are, and serve the next request.
/// </summary>
internal sealed class RequestDeadline : IDisposable
{
    [ThreadStatic]
    private static RequestDeadline? idle;

    private readonly CancellationTokenSource source = new();
    private CancellationTokenRegistration gone;

    public CancellationToken Token => source.Token;

    public static RequestDeadline Take()
    {
        var deadline = idle ?? new RequestDeadline();
        idle = null;
        return deadline;
    }

    /// <summary>Leaves one that was never started, and whose token nobody has any more, for another request.</summary>
    public void PutBack() => idle = this;

    public void Start(TimeSpan timeMax, CancellationToken clientGone)
    {
        gone = clientGone.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), source);
        source.CancelAfter(timeMax);
    }

    /// <summary>The time no longer counts; that the client goes still does.</summary>
    public void StopTime() => source.CancelAfter(Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        gone.Dispose();
        source.Dispose();
    }
}
