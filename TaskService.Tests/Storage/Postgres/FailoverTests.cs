using System.Diagnostics;
using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// Servers die, hang, restart and are promoted while writers write: what was acknowledged is there, reads go on, and
/// no answer but 503 says that something is wrong.
/// </summary>
[Trait("Suite", "long")]
public sealed class FailoverTests : IAsyncLifetime
{
    private const int Writers = 8;
    private const string Short = "command-timeout: 1";

    private readonly Ledger ledger = new();
    private readonly List<PostgresServer> servers = [];
    private string database = null!;

    private IEnumerable<string> Addresses => servers.Select(server => server.Address);

    public async ValueTask InitializeAsync()
    {
        servers.Add(await PostgresServer.StartAsync());
        servers.Add(await servers[0].StartStandbyAsync());
        database = servers[0].CreateDatabase();
        // A change is acknowledged when both have it.
        await servers[0].SynchronizeAsync("*");
        await StreamsAsync(servers[0]);
    }

    public ValueTask DisposeAsync()
    {
        foreach (var server in servers.AsEnumerable().Reverse())
        {
            server.Dispose();
        }
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("dies")]
    [InlineData("hangs")]
    public async Task A_failover_loses_nothing_and_changes_go_to_the_promoted_server(string end)
    {
        await using var service = await PostgresService.StartOnAllAsync(Addresses, database, Short);
        using var client = new StatusClient(service);
        var (primary, standby) = (servers[0], servers[1]);
        // A change waits until the standby has it, not until it can be read there: the schema must be.
        await Until.TrueAsync(() => HasTable(standby), "a standby with the table");
        for (var round = 0; round < TestRoot.Scale(1, 5); round++)
        {
            var acknowledged = ledger.Acknowledged;
            var writers = ledger.WriteAsync(client.Ledger, Writers);
            await Until.TrueAsync(() => ledger.Acknowledged >= acknowledged + 100, "acknowledged changes");
            using var reads = new Reads(service);
            var ended = Stopwatch.GetTimestamp();
            End(primary, end);
            await writers;
            using var refused = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, refused);
            Assert.NotNull(refused.Headers.RetryAfter);
            // Whoever promotes makes sure first that the old one is gone.
            primary.Kill();
            standby.Promote();
            var promoted = Stopwatch.GetElapsedTime(ended);
            await ChangesAsync(service);
            var outage = Stopwatch.GetElapsedTime(ended);
            await reads.StopAsync();
            reads.AssertNoneFailed();
            await client.AssertRightAsync(ledger);
            TestContext.Current.SendDiagnosticMessage(
                $"{end}: {ledger.Acknowledged - acknowledged} acknowledged, 0 lost, no write for "
                + $"{outage.TotalSeconds:F2} s, {(outage - promoted).TotalSeconds:F2} s of them after the promotion, "
                + $"{reads.Count} reads, 0 failed");
            // It comes back as a standby of the new one.
            var back = await standby.StartStandbyAsync($"back{round}", primary.Port);
            servers.Add(back);
            await standby.SynchronizeAsync("*");
            await StreamsAsync(standby);
            (primary, standby) = (standby, back);
        }
        client.AssertNothingBut(200, 201, 204, 503);
    }

    [Fact]
    public async Task A_primary_that_restarts_has_lost_nothing()
    {
        await using var service = await PostgresService.StartOnAllAsync(Addresses, database, Short);
        using var client = new StatusClient(service);
        for (var round = 0; round < TestRoot.Scale(2, 10); round++)
        {
            var enough = ledger.Acknowledged + 50;
            var writers = ledger.WriteAsync(client.Ledger, Writers);
            await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
            servers[0].Kill();
            await writers;
            await servers[0].StartAgainAsync();
            await StreamsAsync(servers[0]);
            await ChangesAsync(service);
            await client.AssertRightAsync(ledger);
        }
        client.AssertNothingBut(200, 201, 204, 503);
    }

    [Fact]
    public async Task Terminated_sessions_under_load_cause_503_and_no_other_error()
    {
        await using var service = await PostgresService.StartOnAllAsync(Addresses, database, Short);
        using var client = new StatusClient(service);
        for (var round = 0; round < TestRoot.Scale(5, 50); round++)
        {
            var enough = ledger.Acknowledged + 50;
            var writers = ledger.WriteAsync(client.Ledger, Writers);
            await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
            foreach (var server in servers)
            {
                server.Execute(
                    $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
            }
            // Writers whose session was between two changes would go on.
            await Until.TrueAsync(
                () =>
                {
                    servers[0].Execute(
                        $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'");
                    return writers.IsCompleted;
                },
                "an end of all writers");
            await ChangesAsync(service);
            await StreamsAsync(servers[0]);
            await client.AssertRightAsync(ledger);
        }
        client.AssertNothingBut(200, 201, 204, 503);
    }

    [Theory]
    [InlineData("dies")]
    [InlineData("hangs")]
    public async Task The_loss_of_a_replica_is_invisible_to_readers(string end)
    {
        await servers[0].SetAsync("synchronous_standby_names", "");
        await using var service = await PostgresService.StartAsync(servers[0], servers[1], Short, database);
        var path = await service.CreateAsync(Some.TaskJson);
        using var reads = new Reads(service);
        await Until.TrueAsync(() => reads.Count > 20, "reads");
        End(servers[1], end);
        var seen = reads.Count;
        await Until.TrueAsync(() => reads.Count > seen + 100, "reads of the primary");
        await service.CreateAsync(Some.TaskJson);
        await reads.StopAsync();
        reads.AssertNoneFailed();
        using var read = await service.SendAsync("GET", path);
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
    }

    [Fact]
    public async Task A_server_in_recovery_is_never_written_to()
    {
        await using var service = await PostgresService.StartOnAllAsync(Addresses, database, Short);
        servers[0].Kill();
        using var refused = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
        await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, refused);
        using var ready = await service.SendAsync("GET", "/health/ready");
        await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, ready);
        // Not even where it is the only one that is named.
        var alone = await Record.ExceptionAsync(
            () => PostgresService.StartAsync(servers[1], database: database));
        Assert.Contains(servers[1].Address, alone!.Message, StringComparison.Ordinal);
    }

    /// <summary>Waits until a server has a standby that changes can wait for.</summary>
    private static Task StreamsAsync(PostgresServer server) => Until.TrueAsync(
        () => (long)server.Query("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")! == 1,
        "a standby that streams");

    private bool HasTable(PostgresServer server) =>
        (long)server.Query($"SELECT count(*) FROM pg_database WHERE datname = '{database}'")! == 1
        && server.Query("SELECT to_regclass('tasks')::text", database) is string;

    private static void End(PostgresServer server, string how)
    {
        if (how == "dies")
        {
            server.Kill();
        }
        else
        {
            server.Hang();
        }
    }

    /// <summary>Waits until a change is taken.</summary>
    private async Task ChangesAsync(RunningService service)
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            using var put = await service.SendAsync("DELETE", "/tasks/none");
            if (put.StatusCode == HttpStatusCode.NotFound)
            {
                return;
            }
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, put);
            Assert.True(Stopwatch.GetElapsedTime(started) < Until.Limit, "no change is taken");
        }
    }
}
