using System.Diagnostics;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// Patroni decides who the primary is: its leader dies, with its agent or without, or hands over, while writers write.
/// Nobody tells the service.
/// </summary>
[Trait("Suite", "soak")]
public sealed class PatroniTests(PatroniFixture fixture) : IClassFixture<PatroniFixture>
{
    private const int Writers = 4;
    private const string AllDie = "leader and agent die";
    private const string PostmasterDies = "postmaster dies";
    private const string AgentDies = "agent dies";
    private const string Switchover = "switchover";

    [Theory]
    [InlineData(AllDie)]
    [InlineData(PostmasterDies)]
    [InlineData(AgentDies)]
    [InlineData(Switchover)]
    public async Task A_failover_by_Patroni_loses_nothing_and_changes_resume_automatically(string end)
    {
        for (var round = 0; round < TestRoot.Scale(1, 2); round++)
        {
            await AssertGoesOnAsync(fixture.Cluster, end);
        }
    }

    private static async Task AssertGoesOnAsync(PatroniCluster cluster, string end)
    {
        var database = await cluster.CreateDatabaseAsync();
        await using var service = await PostgresService.StartOnAllAsync(
            cluster.Members.Select(member => member.Address), database, "command-timeout: 1");
        using var client = new StatusClient(service);
        using var reads = new Reads(service);
        using var enough = new CancellationTokenSource();
        var ledger = new Ledger();
        var writers = ledger.WriteOnAsync(client.Ledger, Writers, enough.Token);
        await Until.TrueAsync(() => ledger.Acknowledged >= 100, "acknowledged changes");
        client.ForgetPauses();
        var promoted = await EndAsync(cluster, end);
        await Until.TrueAsync(() => client.LastChange > promoted, "a change after the promotion");
        // Changes go on as well while who was the leader comes back as a standby, and is waited for again.
        cluster.StartAgents();
        await cluster.IsWholeAsync();
        await enough.CancelAsync();
        await writers;
        await reads.StopAsync();
        reads.AssertNoneFailed();
        await client.AssertRightAsync(ledger);
        client.AssertNothingBut(200, 201, 204, 503);
        var (start, stop) = client.LongestPause;
        // It may be over before it is seen that somebody is promoted.
        var after = stop > promoted ? Stopwatch.GetElapsedTime(Math.Max(start, promoted), stop) : TimeSpan.Zero;
        TestContext.Current.SendDiagnosticMessage(
            $"{end}: {ledger.Acknowledged} acknowledged, 0 lost, no write for "
            + $"{Stopwatch.GetElapsedTime(start, stop).TotalSeconds:F2} s, {after.TotalSeconds:F2} s of them after the "
            + $"promotion, {reads.Count} reads, 0 failed");
    }

    /// <returns>When another server, or the same one again, is the primary.</returns>
    private static async Task<long> EndAsync(PatroniCluster cluster, string how)
    {
        var leader = cluster.Leader!;
        var other = cluster.Members.Single(member => member != leader);
        switch (how)
        {
            case Switchover:
                var order = leader.SwitchOverAsync(other);
                var promoted = await PrimaryAsync(other);
                await order;
                return promoted;
            case PostmasterDies:
                leader.KillPostmaster();
                return await PrimaryAsync(leader, other);
            case AgentDies:
                await leader.KillAgentAsync();
                await PrimaryAsync(other);
                // There are two now. The old one must be gone before its agent is back, as docs/storage.md says.
                leader.Kill();
                return Stopwatch.GetTimestamp();
            default:
                leader.Kill();
                return await PrimaryAsync(other);
        }
    }

    private static async Task<long> PrimaryAsync(params PatroniMember[] members)
    {
        await Until.TrueAsync(() => members.Any(member => member.IsPrimary), "a primary");
        return Stopwatch.GetTimestamp();
    }
}
