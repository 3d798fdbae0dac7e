using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>Several standbys, and how many of the reads each of them gets.</summary>
[Trait("Suite", "long")]
public sealed class BalancingTests(PostgresFixture servers) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private const int ReadCount = 100;

    private static int standbys;

    private string database = null!;
    private PostgresServer? other;

    private PostgresServer[] Standbys => [servers.Standby, other!];

    public async ValueTask InitializeAsync()
    {
        if (PostgresServer.IsInstalled)
        {
            database = servers.Primary.CreateDatabase();
            other = await servers.Primary.StartStandbyAsync($"other{Interlocked.Increment(ref standbys)}");
        }
    }

    public ValueTask DisposeAsync()
    {
        other?.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(false, "", 40)]
    // Npgsql begins at one host after the other; from the primary it goes on to the standby that is named next.
    [InlineData(true, "Load Balance Hosts=true", 30)]
    public async Task Standbys_share_the_reads(bool isPrimaryAmongThem, string more, int readsMin)
    {
        await using var service = await StartAsync(isPrimaryAmongThem, more);
        await ReadAsync(service);
        // Sessions that end tell what they did.
        await service.StopAsync();
        await Until.TrueAsync(() => Standbys.Sum(Transactions) >= ReadCount, "all reads on the standbys");
        Assert.All(Standbys, standby => Assert.InRange(Transactions(standby), readsMin, ReadCount));
    }

    [Theory]
    [InlineData(true, "")]
    [InlineData(false, "Load Balance Hosts=false")]
    public async Task All_reads_go_to_one_standby_when_the_primary_is_among_them_or_the_string_says_so(
        bool isPrimaryAmongThem, string more)
    {
        await using var service = await StartAsync(isPrimaryAmongThem, more);
        await ReadAsync(service);
        Assert.Equal(0, Connections(Standbys[1]));
        await service.StopAsync();
        await Until.TrueAsync(() => Transactions(Standbys[0]) >= ReadCount, "a standby with all reads");
    }

    [Fact]
    public async Task A_pool_for_balanced_reads_never_gets_a_change()
    {
        var standby = Standbys[1];
        await using var service = await StartAsync(isPrimaryAmongThem: true, "Load Balance Hosts=true");
        // Now there are two primaries, as when the old one was not fenced off.
        standby.Promote();
        for (var i = 0; i < ReadCount / 4; i++)
        {
            await service.CreateAsync(Some.TaskJson);
        }
        Assert.Equal(ReadCount / 4L, servers.Primary.Query("SELECT count(*) FROM tasks", database));
        Assert.Equal(0L, standby.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task The_loss_of_one_of_several_standbys_is_invisible_to_readers()
    {
        await using var service = await StartAsync(isPrimaryAmongThem: false, "");
        using var reads = new Reads(service);
        await Until.TrueAsync(() => Standbys.All(standby => Connections(standby) > 0), "reads on both");
        Standbys[1].Kill();
        var before = reads.Count;
        await Until.TrueAsync(() => reads.Count >= before + ReadCount, "reads that go on");
        await reads.StopAsync();
        reads.AssertNoneFailed();
    }

    private static async Task ReadAsync(RunningService service)
    {
        for (var i = 0; i < ReadCount; i++)
        {
            using var read = await service.SendAsync("GET", "/tasks/none");
            await PostgresService.AssertStatusAsync(HttpStatusCode.NotFound, read);
        }
    }

    private async Task<RunningService> StartAsync(bool isPrimaryAmongThem, string more)
    {
        IEnumerable<PostgresServer> all = [servers.Primary, .. Standbys];
        var service = await PostgresService.StartOnAsync(
            isPrimaryAmongThem ? all : [servers.Primary], isPrimaryAmongThem ? all : Standbys, database, more);
        // A standby that has no tables yet would be passed over.
        var written = servers.Primary.Query("SELECT pg_current_wal_lsn()::text");
        foreach (var standby in Standbys)
        {
            await Until.TrueAsync(
                () => standby.Query($"SELECT pg_last_wal_replay_lsn() >= '{written}'") is true,
                "a standby that has the tables");
        }
        return service;
    }

    private long Transactions(PostgresServer server) =>
        (long)server.Query($"SELECT xact_commit FROM pg_stat_database WHERE datname = '{database}'")!;

    private long Connections(PostgresServer server) =>
        (long)server.Query($"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'")!;
}
