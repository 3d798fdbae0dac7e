using System.Diagnostics;
using System.Net;
using Npgsql;
using TaskService.Storage.Postgres;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>What comes while others are under way goes together, and nobody suffers from the company.</summary>
public sealed class RoundTripsTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const int Clients = 40;
    private const string Patient = "command-timeout: 60";

    [Fact]
    public async Task Creates_that_wait_are_one_transaction()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        // How many of them wait when the first ones may go on is up to the machine.
        for (var made = Clients; ; made += Clients)
        {
            await WhileLockedAsync(database, () => Enumerable.Range(0, Clients).Select(async _ =>
            {
                using var answer = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
                await PostgresService.AssertStatusAsync(HttpStatusCode.Created, answer);
            }));
            Assert.Equal((long)made, servers.Primary.Query("SELECT count(*) FROM tasks", database));
            if ((long)servers.Primary.Query("SELECT count(DISTINCT xmin::text) FROM tasks", database)! < made)
            {
                return;
            }
            Assert.True(made < 20 * Clients, "each task has a transaction of its own");
        }
    }

    [Fact]
    public async Task Reads_that_wait_each_get_their_own_task_in_few_sessions()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        var paths = new List<string>();
        for (var i = 0; i < Clients; i++)
        {
            paths.Add(await service.CreateAsync($$"""{"title":"number {{i}}"}"""));
        }
        await WhileLockedAsync(database, () => paths.Select(async (path, i) =>
        {
            using var answer = await service.SendAsync("GET", path);
            await PostgresService.AssertStatusAsync(HttpStatusCode.OK, answer);
            Assert.Contains(
                $"\"number {i}\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }));
        // Those that wait and the one that made the tasks; alone, each would have taken a session of its own.
        Assert.InRange(
            (long)servers.Primary.Query(
                "SELECT count(*) FROM pg_stat_activity"
                + $" WHERE datname = '{database}' AND application_name = 'TodoList'")!,
            1,
            4);
    }

    [Fact]
    public async Task A_create_that_is_refused_takes_no_other_with_it()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        servers.Primary.Execute("ALTER TABLE tasks ADD CHECK (title <> 'refused')", database);
        await WhileLockedAsync(database, () => Enumerable.Range(0, Clients).Select(async i =>
        {
            var isRefused = i == Clients / 2;
            using var answer = await service.SendAsync(
                "POST", "/tasks", RunningService.Json($$"""{"title":"{{(isRefused ? "refused" : "taken")}}"}"""));
            await PostgresService.AssertStatusAsync(
                isRefused ? HttpStatusCode.InternalServerError : HttpStatusCode.Created, answer);
        }));
        Assert.Equal(Clients - 1L, servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task A_reader_who_goes_takes_no_other_with_him()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        var path = await service.CreateAsync(Some.TaskJson);
        using var gone = new CancellationTokenSource();
        await WhileLockedAsync(
            database,
            () => Enumerable.Range(0, Clients).Select(async i =>
            {
                if (i % 2 == 0)
                {
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(
                        () => service.Client.GetAsync(new Uri(path, UriKind.Relative), gone.Token));
                    return;
                }
                using var answer = await service.SendAsync("GET", path);
                await PostgresService.AssertStatusAsync(HttpStatusCode.OK, answer);
            }),
            gone.CancelAsync);
    }

    [Fact]
    public async Task What_has_waited_for_long_fails_with_those_who_went_first()
    {
        var sent = 0;
        var result = new TaskCompletionSource();
        var trips = new RoundTrips<int>(async items =>
        {
            Interlocked.Add(ref sent, items.Count);
            await result.Task;
        });
        var went = new List<Task>();
        await Until.TrueAsync(
            () =>
            {
                went.Add(trips.SendAsync(0));
                return Volatile.Read(ref sent) >= 4;
            },
            "as many as may be under way");
        var since = Stopwatch.GetTimestamp();
        await Until.TrueAsync(() => Stopwatch.GetElapsedTime(since) > TimeSpan.FromSeconds(1.1), "a long wait");
        var last = trips.SendAsync(0);
        var hung = Volatile.Read(ref sent);
        result.SetException(new IOException("it hangs"));

        foreach (var failed in went.Append(last))
        {
            await Assert.ThrowsAsync<IOException>(() => failed);
        }
        // Only what had just come was tried.
        Assert.Equal(hung + 1, Volatile.Read(ref sent));
    }

    /// <summary>Begins requests while nobody can get at the table, and lets them end.</summary>
    private async Task WhileLockedAsync(
        string database, Func<IEnumerable<Task>> requests, Func<Task>? meanwhile = null)
    {
        await using var holder = new NpgsqlConnection(servers.Primary.Connection(database, "Pooling=false"));
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE", holder);
        await hold.ExecuteNonQueryAsync();
        var all = Task.WhenAll(requests().ToList());
        await Until.TrueAsync(
            () => (long)servers.Primary.Query(
                "SELECT count(*) FROM pg_stat_activity"
                + $" WHERE datname = '{database}' AND wait_event_type = 'Lock'")! > 0,
            "a session that waits");
        await (meanwhile?.Invoke() ?? Task.CompletedTask);
        await transaction.RollbackAsync();
        await all;
    }
}
