using System.Collections.Concurrent;

namespace TaskService.Tests.Exporters;

/// <summary>
/// Real time, but for timers that go off when the test says so, and not before. Unlike <c>FakeTimeProvider</c> it shows
/// the timer that is set, for which a test has to wait when the code under test runs on threads of its own.
/// </summary>
/// <param name="isHeld">Says of the time that a timer is set to whether it is such a one.</param>
internal sealed class HeldTime(Func<TimeSpan, bool> isHeld) : TimeProvider
{
    private readonly ConcurrentQueue<(TimeSpan Due, Action GoOff)> held = new();

    /// <summary>What the next one is set to; null when there is none.</summary>
    public TimeSpan? Next => held.TryPeek(out var next) ? next.Due : null;

    /// <summary>Lets the next one go off.</summary>
    public void GoOff()
    {
        Assert.True(held.TryDequeue(out var next), "no timer is set");
        next.GoOff();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (!isHeld(dueTime))
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }
        var timer = base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        held.Enqueue((dueTime, () => timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan)));
        return timer;
    }
}
