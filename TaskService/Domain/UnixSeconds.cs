namespace TaskService.Domain;

/// <summary>
/// A time as the number of seconds since 1970, of which doubles keep microseconds up to the year 2242 and 31 µs in
/// 9999.
/// </summary>
internal static class UnixSeconds
{
    /// <summary>0001-01-01T00:00:00Z, included.</summary>
    public const double Min = -62_135_596_800;

    /// <summary>10000-01-01T00:00:00Z, excluded.</summary>
    public const double MaxExclusive = 253_402_300_800;

    private const long MicrosecondsPerSecond = 1_000_000;

    // Up to here a double represents every whole number.
    private const long ExactMax = 1L << 53;

    /// <returns>False when it is out of bounds or not a number.</returns>
    public static bool TryToMicroseconds(double seconds, out long microseconds)
    {
        microseconds = 0;
        if (!(seconds >= Min && seconds < MaxExclusive))
        {
            return false;
        }
        // Whole seconds and the rest apart, since their product with a million would not fit into a double.
        var whole = Math.Floor(seconds);
        microseconds = ((long)whole * MicrosecondsPerSecond)
            + (long)Math.Round((seconds - whole) * MicrosecondsPerSecond, MidpointRounding.AwayFromZero);
        return true;
    }

    public static double FromMicroseconds(long microseconds)
    {
        if (Math.Abs(microseconds) <= ExactMax)
        {
            // Rounded once, which gives the double that the decimal number stands for.
            return (double)microseconds / MicrosecondsPerSecond;
        }
        var (whole, rest) = Math.DivRem(microseconds, MicrosecondsPerSecond);
        return whole + ((double)rest / MicrosecondsPerSecond);
    }

    /// <returns>Null when it is out of bounds or not a number.</returns>
    public static DateTimeOffset? ToTime(double seconds) =>
        TryToMicroseconds(seconds, out var microseconds)
            ? DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond) : null;

    /// <summary>Validates a time: the problem, in words that follow the name of the field; null for none.</summary>
    public static string? Problem(double seconds) =>
        ToTime(seconds) is null ? $"must be at least {Min:F0} and below {MaxExclusive:F0}" : null;

    /// <summary>Converts to UTC and cuts to whole microseconds, which is what engines keep.</summary>
    public static DateTimeOffset Cut(DateTimeOffset time) =>
        new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);

    /// <summary>Converts a bound of a query; a value out of range is clamped to the nearest time.</summary>
    public static DateTimeOffset ToBound(double seconds) =>
        ToTime(seconds) ?? (seconds < 0 ? DateTimeOffset.MinValue : DateTimeOffset.MaxValue);

    public static double FromTime(DateTimeOffset time) =>
        FromMicroseconds((time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
}
