using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Npgsql;
using TaskService.Storage.Postgres;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>What comes while others are under way goes together, and nobody suffers from the company.</summary>
[Trait("Suite", "long")]
public sealed class BatcherTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const int Clients = 40;
    private const string Patient = "command-timeout: 60";

    [Fact]
    public async Task Queued_creates_are_one_batch_in_one_transaction()
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
    public async Task Queued_reads_are_batched_in_few_sessions_and_each_gets_its_own_task()
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
    public async Task Reads_of_tasks_and_of_keys_in_one_batch_each_get_their_own_row_or_none()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        var path = await service.CreateAsync("""{"title":"kept"}""");
        var made = new string[Clients];
        for (var i = 0; i < Clients; i += 4)
        {
            made[i] = await KeyedAsync(i);
        }
        await WhileLockedAsync(database, () => Enumerable.Range(0, Clients).Select(async i =>
        {
            switch (i % 4)
            {
                case 0:
                    Assert.Equal(made[i], await KeyedAsync(i));
                    break;
                case 1:
                    Assert.DoesNotContain(await KeyedAsync(i), made);
                    break;
                default:
                    using (var answer = await service.SendAsync("GET", i % 4 == 2 ? path : $"/tasks/none-{i}"))
                    {
                        await PostgresService.AssertStatusAsync(
                            i % 4 == 2 ? HttpStatusCode.OK : HttpStatusCode.NotFound, answer);
                    }
                    break;
            }
        }));

        async Task<string> KeyedAsync(int key)
        {
            using var answer = await service.SendAsync(
                "POST", "/tasks", RunningService.Json("""{"title":"keyed"}"""), ("Idempotency-Key", $"\"key-{key}\""));
            await PostgresService.AssertStatusAsync(HttpStatusCode.Created, answer);
            return answer.Headers.Location!.OriginalString;
        }
    }

    [Fact]
    public async Task A_create_that_is_refused_does_not_fail_others_of_its_batch()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        servers.Primary.Execute("ALTER TABLE tasks ADD CHECK (title <> 'refused')", database);
        await WhileLockedAsync(database, () => Enumerable.Range(0, Clients).Select(i => i == Clients / 2
            ? CreateAsync(service, "refused", HttpStatusCode.InternalServerError)
            : CreateAsync(service, "taken", HttpStatusCode.Created)));
        Assert.Equal(Clients - 1L, servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task A_create_that_is_rolled_back_repeatedly_does_not_fail_others_of_its_batch()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        servers.Primary.Execute(
            "CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS"
            + " $$ BEGIN RAISE EXCEPTION 'undone' USING ERRCODE = 'serialization_failure'; END $$;"
            + " CREATE TRIGGER clash BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.title = 'undone')"
            + " EXECUTE FUNCTION clash()",
            database);
        await WhileLockedAsync(database, () => Enumerable.Range(0, Clients).Select(i => i == Clients / 2
            ? CreateAsync(service, "undone", HttpStatusCode.ServiceUnavailable)
            : CreateAsync(service, "taken", HttpStatusCode.Created)));
        Assert.Equal(Clients - 1L, servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task A_create_that_is_refused_alone_does_not_fail_overdue_ones()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        servers.Primary.Execute("ALTER TABLE tasks ADD CHECK (title <> 'refused')", database);
        var first = Task.CompletedTask;
        await WhileLockedAsync(
            database,
            () => [first = CreateAsync(service, "refused", HttpStatusCode.InternalServerError)],
            async () =>
            {
                var others = Enumerable.Range(0, Clients)
                    .Select(_ => CreateAsync(service, "taken", HttpStatusCode.Created)).ToList();
                await LongAsync();
                first = Task.WhenAll(others.Append(first));
            });
        await first;
        Assert.Equal((long)Clients, servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task An_unreadable_row_fails_its_own_read_only()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database);
        var path = await service.CreateAsync(Some.TaskJson);
        servers.Primary.Execute(
            "INSERT INTO idempotency_keys SELECT n, 'no hash', 'a', 'b', 1 FROM generate_series(0, 40) n",
            database);
        await WhileLockedAsync(
            database,
            () => Enumerable.Range(0, Clients).Select(async i =>
            {
                if (i % 4 == 0)
                {
                    using var refused = await service.SendAsync(
                        "POST", "/tasks", RunningService.Json(Some.TaskJson), ("Idempotency-Key", $"{i}"));
                    await PostgresService.AssertStatusAsync(HttpStatusCode.InternalServerError, refused);
                    return;
                }
                using var answer = await service.SendAsync("GET", path);
                await PostgresService.AssertStatusAsync(HttpStatusCode.OK, answer);
            }),
            tables: "tasks, idempotency_keys");
    }

    [Fact]
    public async Task A_create_that_times_out_before_it_begins_is_cancelled()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await RunningService.StartAsync(
            $$"""postgres: { primary: '{{servers.Primary.Connection(database)}}', {{Patient}} }""",
            http: "request-time-max-ms: 1000");
        var begun = new List<Task<HttpResponseMessage>>();
        await WhileLockedAsync(
            database,
            () => [Begin()],
            async () =>
            {
                await Until.TrueAsync(
                    () =>
                    {
                        Begin();
                        return Waiting(database) == 4;
                    },
                    "as many batches in flight as there may be");
                await Task.WhenAll(Enumerable.Range(0, Clients).Select(
                    _ => CreateAsync(service, "late", HttpStatusCode.ServiceUnavailable)));
            });
        foreach (var answer in await Task.WhenAll(begun))
        {
            answer.Dispose();
        }
        await service.CreateAsync("""{"title":"last"}""");
        Assert.Equal(0L, servers.Primary.Query("SELECT count(*) FROM tasks WHERE title = 'late'", database));
        Assert.NotEqual(0L, servers.Primary.Query("SELECT count(*) FROM tasks WHERE title = 'begun'", database));

        Task Begin()
        {
            begun.Add(service.SendAsync("POST", "/tasks", RunningService.Json("""{"title":"begun"}""")));
            return begun[^1];
        }
    }

    [Fact]
    public async Task A_client_that_disconnects_does_not_cancel_others_of_its_batch()
    {
        var database = servers.Primary.CreateDatabase();
        using var logs = new LogFiles();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: Patient, database: database, logging: logs.Yaml);
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
            async () =>
            {
                await LinesAsync(logs, "message=\"REQUEST\"", Clients + 1);
                await gone.CancelAsync();
                // The service knows that they went, and the others wait still.
                await LinesAsync(logs, " status=499 ", Clients / 2);
            });
    }

    [Fact]
    public async Task A_batch_that_hangs_does_not_block_later_items()
    {
        var hangs = new TaskCompletionSource();
        var began = false;
        var batcher = new Batcher<int>(items =>
        {
            Volatile.Write(ref began, true);
            return items.Contains(1) ? hangs.Task : Task.CompletedTask;
        }, lingerTurns: 3);
        var first = batcher.SendAsync(1, CancellationToken.None);
        await Until.TrueAsync(() => Volatile.Read(ref began), "the first on its way");
        // It comes alone, and nobody after it.
        await batcher.SendAsync(2, CancellationToken.None);
        // And one after the other.
        for (var i = 0; i < 100; i++)
        {
            await batcher.SendAsync(2, CancellationToken.None);
        }
        Assert.False(first.IsCompleted);
        hangs.SetResult();
        await first;
    }

    [Fact]
    public async Task Overdue_items_fail_with_the_batch_before_them()
    {
        var sent = new ConcurrentBag<string>();
        var batches = 0;
        var hangs = new TaskCompletionSource();
        var all = new Batcher<string>(async items =>
        {
            items.ForEach(sent.Add);
            Interlocked.Increment(ref batches);
            await hangs.Task;
        }, lingerTurns: 3);
        var waiting = new List<Task>();
        await Until.TrueAsync(
            () =>
            {
                waiting.Add(all.SendAsync("first", CancellationToken.None));
                return Volatile.Read(ref batches) == 4;
            },
            "as many batches in flight as there may be");
        waiting.Add(all.SendAsync("late", CancellationToken.None));
        using var gone = new CancellationTokenSource();
        var given = all.SendAsync("given up", gone.Token);
        await LongAsync();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        hangs.SetException(new IOException("it hangs"));
        foreach (var failed in waiting)
        {
            await Assert.ThrowsAsync<IOException>(() => failed);
        }
        Assert.Equal(["first"], sent.Distinct());
    }

    [Fact]
    public async Task A_cancelled_item_is_never_sent_in_the_next_batch()
    {
        var sent = new ConcurrentBag<string>();
        var hangs = new TaskCompletionSource();
        var batches = 0;
        var all = new Batcher<string>(items =>
        {
            items.ForEach(sent.Add);
            Interlocked.Increment(ref batches);
            return hangs.Task;
        }, lingerTurns: 0);
        var went = new List<Task>();
        await Until.TrueAsync(
            () =>
            {
                went.Add(all.SendAsync("went", CancellationToken.None));
                return Volatile.Read(ref batches) == 4;
            },
            "as many batches in flight as there may be");
        using var gone = new CancellationTokenSource();
        var late = all.SendAsync("late", gone.Token).ContinueWith(
            _ => hangs.SetResult(),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        await gone.CancelAsync();
        await late;
        await Task.WhenAll(went);
        await all.SendAsync("last", CancellationToken.None);
        Assert.Equal(["last", "went"], sent.Distinct().Order());
    }

    private static async Task CreateAsync(RunningService service, string title, HttpStatusCode expected)
    {
        using var answer = await service.SendAsync(
            "POST", "/tasks", RunningService.Json($$"""{"title":"{{title}}"}"""));
        await PostgresService.AssertStatusAsync(expected, answer);
    }

    private static Task LinesAsync(LogFiles logs, string part, int count) => Until.TrueAsync(
        () => logs.Read("logfmt").Count(line => line.Contains(part, StringComparison.Ordinal)) == count,
        $"{count} lines with {part}");

    private static Task LongAsync()
    {
        var since = Stopwatch.GetTimestamp();
        return Until.TrueAsync(() => Stopwatch.GetElapsedTime(since) > TimeSpan.FromSeconds(1.1), "a long wait");
    }

    /// <summary>Begins requests while nobody can get at the table, and lets them end.</summary>
    private async Task WhileLockedAsync(
        string database, Func<IEnumerable<Task>> requests, Func<Task>? meanwhile = null, string tables = "tasks")
    {
        await using var holder = new NpgsqlConnection(servers.Primary.Connection(database, "Pooling=false"));
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand($"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE", holder);
        await hold.ExecuteNonQueryAsync();
        var all = Task.WhenAll(requests().ToList());
        await Until.TrueAsync(() => Waiting(database) > 0, "a session that waits");
        await (meanwhile?.Invoke() ?? Task.CompletedTask);
        await transaction.RollbackAsync();
        await all;
    }

    private long Waiting(string database) => (long)servers.Primary.Query(
        $"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'")!;
}
