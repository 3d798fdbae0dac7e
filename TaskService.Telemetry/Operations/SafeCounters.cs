using System.Diagnostics.Metrics;

namespace TaskService.Telemetry.Operations;

/// <summary>Counters of what telemetry itself does.</summary>
internal static class SafeCounters
{
    /// <summary>
    /// Adds to a counter. Whoever listens to it runs here, and its error is not the caller's, which may be a request or
    /// a thread that must go on.
    /// </summary>
    public static void AddSafely(
        this Counter<long> counter, long count, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            counter.Add(count, tags);
        }
        catch (Exception)
        {
            // The measurement is lost for that listener.
        }
    }
}
