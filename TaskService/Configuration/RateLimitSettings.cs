namespace TaskService.Configuration;

/// <summary>How many requests a client may send.</summary>
/// <param name="RequestsPerSecond">In the long run; 0 for any number.</param>
/// <param name="Burst">At once, after a rest.</param>
/// <param name="ByIdentity">Whether one who is authenticated is a client, wherever the requests come from.</param>
internal sealed record RateLimitSettings(double RequestsPerSecond, int Burst, bool ByIdentity)
{
    private const string RateKey = "requests-per-second";
    private const string BurstKey = "burst";
    private const int Max = 1_000_000;

    // Of the framework's token buckets.
    private const int FillsPerSecond = 10;

    public static RateLimitSettings Read(ConfigSection section)
    {
        var rate = section.Number(RateKey, 0, 0, Max);
        var settings = new RateLimitSettings(
            rate,
            (int)section.Integer(BurstKey, Math.Max(1, (long)Math.Ceiling(rate)), 1, Max),
            section.Choice("by", false, [("address", false), ("identity", true)]));
        if (section.Find(BurstKey) is not null)
        {
            if (section.Find(RateKey) is null)
            {
                section.Problem(RateKey, $"is missing beside {BurstKey}");
            }
            else if (settings.Burst * FillsPerSecond < rate)
            {
                section.Problem(
                    BurstKey,
                    $"must be at least {Math.Ceiling(rate / FillsPerSecond)}: requests are granted {FillsPerSecond} "
                    + $"times a second, so that {RateKey} would never be reached");
            }
        }
        return settings;
    }
}
