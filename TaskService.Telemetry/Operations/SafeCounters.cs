using System.Diagnostics.Metrics;

namespace TaskService.Telemetry.Operations;

/// <summary>Counters of telemetry about itself.</summary>
internal static class SafeCounters
{
    /// <summary>
    /// Adds to a counter. Its listeners run on this thread; their exceptions must not reach the caller, which may be a
    /// request or a background thread.
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
