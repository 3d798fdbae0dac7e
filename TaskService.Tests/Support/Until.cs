using System.Diagnostics;

namespace TaskService.Tests.Support;

/// <summary>
/// Waits for a condition, not for a time. The limit only ends a broken test: a machine under heavy load never meets it.
/// </summary>
internal static class Until
{
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <param name="probe">Looks for it.</param>
    /// <param name="what">It is.</param>
    /// <param name="describe">Says what there is instead; null when nobody needs it.</param>
    /// <returns>The first result that is not null.</returns>
    public static Task<T> ResultAsync<T>(Func<T?> probe, string what, Func<string>? describe = null)
        where T : class => ResultAsync(() => Task.FromResult(probe()), what, describe);

    /// <inheritdoc cref="ResultAsync{T}(Func{T}, string, Func{string})" path="/param"/>
    public static async Task<T> ResultAsync<T>(Func<Task<T?>> probe, string what, Func<string>? describe = null)
        where T : class
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await probe() is { } result)
            {
                return result;
            }
            if (Stopwatch.GetElapsedTime(started) >= Limit)
            {
                Assert.Fail($"waited {Limit} in vain for {what}\n{describe?.Invoke()}".TrimEnd());
            }
            await Pause();
        }
    }

    /// <inheritdoc cref="ResultAsync{T}(Func{T}, string, Func{string})" path="/param"/>
    public static Task TrueAsync(Func<bool> probe, string what, Func<string>? describe = null) =>
        ResultAsync(() => probe() ? "" : null, what, describe);

    /// <inheritdoc cref="ResultAsync{T}(Func{T}, string, Func{string})" path="/param"/>
    public static Task TrueAsync(Func<Task<bool>> probe, string what, Func<string>? describe = null) =>
        ResultAsync(async () => await probe() ? "" : null, what, describe);

    // A timer of its own: the one place where a test looks again after a moment.
    private static async Task Pause()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        await timer.WaitForNextTickAsync();
    }
}
