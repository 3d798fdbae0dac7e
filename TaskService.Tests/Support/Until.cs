using System.Diagnostics;

namespace TaskService.Tests.Support;

/// <summary>Waits for what is to come, not for a time. The limit is only there so that a broken test ends.</summary>
internal static class Until
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <returns>The first result that is not null.</returns>
    public static async Task<T> ResultAsync<T>(Func<T?> probe, string what)
        where T : class
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (probe() is { } result)
            {
                return result;
            }
            Assert.True(Stopwatch.GetElapsedTime(started) < Limit, $"waited {Limit} in vain for {what}");
            await Pause();
        }
    }

    public static Task TrueAsync(Func<bool> probe, string what) => ResultAsync(() => probe() ? "" : null, what);

    // A timer of its own: the one place where a test looks again after a moment.
    private static async Task Pause()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        await timer.WaitForNextTickAsync();
    }
}
