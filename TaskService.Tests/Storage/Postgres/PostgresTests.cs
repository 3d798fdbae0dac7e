using System.Net;
using System.Text.Json;
using Npgsql;
using TaskService.Domain;
using TaskService.Storage.Postgres;
using TaskService.Storage.Sql;
using TaskService.Tests.Storage.Sql;
using TaskService.Storage.Tasks;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>What is to be seen of the service on the server, and of the server in the service.</summary>
public sealed class PostgresTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private static readonly EntitySql<TaskEntry> Sql = TaskRow.Entity.Sql;

    public static TheoryData<string, string> Lists => new()
    {
        { "", "Index Scan using tasks_pkey" },
        { "completed", "tasks_completed" },
        { "priority", "tasks_priority" },
        { "due", "tasks_due_date" },
    };

    [Fact]
    public async Task Instances_that_start_at_once_on_an_empty_database_all_succeed()
    {
        var database = servers.Primary.CreateDatabase();
        var stores = Enumerable.Range(0, 8).Select(_ => Store(database)).ToList();
        await Task.WhenAll(stores.Select(store => store.OpenAsync(CancellationToken.None)));
        foreach (var store in stores)
        {
            await store.DisposeAsync();
        }
        Assert.Equal(
            (long)Migrations.Embedded("postgres").Known.Count,
            servers.Primary.Query("SELECT count(*) FROM schema_migrations", database));
    }

    [Fact]
    public async Task A_database_that_cannot_hold_every_text_is_refused()
    {
        servers.Primary.Execute(
            "CREATE DATABASE latin ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0");
        await using var store = Store("latin");
        var error = await Assert.ThrowsAsync<StorageException>(() => store.OpenAsync(CancellationToken.None));
        Assert.Contains("the database is in LATIN1, not UTF8", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task A_page_of_a_list_is_found_by_an_index_and_comes_in_its_order(string filter, string index)
    {
        await using var connection = await FilledAsync(
            "INSERT INTO tasks (id, completed, priority, due_date, title) SELECT to_char(n, 'FM00000000'),"
            + " n % 100 = 0, CASE n % 100 WHEN 1 THEN 'high' ELSE 'none' END, n * 1000000::bigint, 'title'"
            + " FROM generate_series(1, 50000) n; ANALYZE tasks");
        var query = new TaskQuery
        {
            Completed = filter == "completed" ? true : null,
            Priority = filter == "priority" ? TaskPriority.High : null,
            DueBefore = filter == "due" ? DateTimeOffset.UnixEpoch.AddSeconds(100) : null,
        };
        await using var explain = connection.CreateCommand();
        explain.CommandText = $"EXPLAIN {Sql.List(query)}";
        Sql.SetQuery(explain, query, filter == "due" ? "" : "00010000", 32);
        var plan = await PlanAsync(explain);
        Assert.Contains(index, plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        // The few that are due so soon are put into order; all others come in it.
        Assert.Equal(filter == "due", plan.Contains("Sort", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_page_of_a_list_ends_with_its_characters_however_long_the_texts_are()
    {
        using var directory = new TemporaryDirectory();
        var events = directory.File("events");
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, database: database, logging: $$"""
            telemetry: { exporters: { events: { type: json, path: '{{events}}', close-time-max-ms: 60000 } } }
            logging: { handlers: { console: { type: console, level: none } } }
            """);
        // Short ones first, behind which pages have grown, and again in the end.
        servers.Primary.Execute(
            "INSERT INTO tasks (id, completed, priority, title, description) SELECT to_char(n, 'FM00000000'), false,"
            + " 'none', 'title', CASE WHEN n BETWEEN 701 AND 1000 THEN repeat('x', 10000) ELSE 'short' END"
            + " FROM generate_series(1, 5000) n",
            database);
        using var answer = await service.SendAsync("GET", "/tasks");
        using var list = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal(
            Enumerable.Range(1, 5000).Select(n => $"{n:D8}"),
            list.RootElement.EnumerateObject().Select(task => task.Name));
        await service.StopAsync();
        var pages = SqlEvents.OfRequests(events).Select(one => one.Rows).ToList();
        const long rowsMax = (KeysetPages.CharactersMax / 10_005) + 1;
        Assert.Equal(5000, pages.Sum());
        // 32, 128 and 512 short ones, some of both, no more long ones than fit, and a thousand short ones again.
        Assert.Equal([32L, 128L, 512L, 28 + rowsMax], pages.Take(4).Cast<long>());
        Assert.All(pages.Skip(4).Take(4), rows => Assert.InRange(rows!.Value, 1, rowsMax));
        Assert.Contains(1000L, pages);
    }

    [Fact]
    public async Task Lookups_use_the_index_with_one_generic_plan_for_any_number_of_keys()
    {
        await using var connection = await FilledAsync(
            "INSERT INTO tasks (id, completed, priority, title) SELECT to_char(n, 'FM00000000'), false, 'none', 'title'"
            + " FROM generate_series(1, 50000) n; ANALYZE tasks");
        await using var find = connection.CreateCommand();
        find.CommandText = PostgresQuery.OfAll(Sql.Find, "@id");
        var keys = find.Parameters.Add(new NpgsqlParameter<string[]>("@keys", []));
        for (var count = 0; count < 10; count++)
        {
            keys.Value = Enumerable.Range(1, count).Select(n => $"{n:D8}").ToArray();
            await find.PrepareAsync();
            await using var reader = await find.ExecuteReaderAsync();
            var rows = 0;
            while (await reader.ReadAsync())
            {
                rows++;
            }
            Assert.Equal(count, rows);
        }
        await using var plans = connection.CreateCommand();
        plans.CommandText = "SELECT generic_plans, custom_plans FROM pg_prepared_statements";
        await using (var reader = await plans.ExecuteReaderAsync())
        {
            Assert.True(await reader.ReadAsync());
            // PostgreSQL tries five times whether it is worth while to plan with the values.
            Assert.Equal((5L, 5L), (reader.GetInt64(0), reader.GetInt64(1)));
        }
        find.CommandText = $"EXPLAIN {find.CommandText}";
        var plan = await PlanAsync(find);
        Assert.Contains("tasks_pkey", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Expired_keys_are_found_by_an_index()
    {
        await using var connection = await FilledAsync(
            "INSERT INTO idempotency_keys SELECT n, '', '', '', n FROM generate_series(1, 50000) n;"
            + " ANALYZE idempotency_keys");
        await using var explain = connection.CreateCommand();
        explain.CommandText = $"EXPLAIN {KeySql.DeleteExpired}";
        KeySql.SetExpiry(explain, DateTimeOffset.UnixEpoch + IdempotencyRecord.KeptTime);
        var plan = await PlanAsync(explain);
        Assert.Contains("Index Scan using idempotency_keys_created", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_request_id_is_in_application_name_during_the_request_only()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: "request-id-in-application-name: true, command-timeout: 60", database: database);
        await service.CreateAsync(Some.TaskJson);
        await using var holder = await HoldAsync(database);
        var read = service.SendAsync("GET", "/tasks", null, ("X-Request-ID", "req-42"));
        await Until.TrueAsync(() => Named("TodoList req-42") == 1, "a session with the id in its name");
        var longId = new string('x', 128);
        var write = service.SendAsync("DELETE", "/tasks/a", null, ("X-Request-ID", longId));
        await Until.TrueAsync(() => Named(longId[..63]) == 1, "a session with as much of the id as there is room for");
        await holder.DisposeAsync();
        using var answer = await read;
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, answer);
        using var other = await write;
        await Until.TrueAsync(() => Named("TodoList") == 2, "sessions without an id");

        long Named(string name) => (long)servers.Primary.Query(
            $"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = '{name}'")!;
    }

    [Fact]
    public async Task The_request_id_is_not_in_application_name_by_default()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: "command-timeout: 60", database: database);
        await using var holder = await HoldAsync(database);
        var read = service.SendAsync("GET", "/tasks", null, ("X-Request-ID", "req-42"));
        var write = service.SendAsync("DELETE", "/tasks/a", null, ("X-Request-ID", "req-42"));
        await Until.TrueAsync(
            () => (long)servers.Primary.Query(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'TodoList'"
                + $" AND datname = '{database}'")! == 2,
            "both to wait");
        Assert.Equal(0L, servers.Primary.Query(
            "SELECT count(*) FROM pg_stat_activity WHERE to_jsonb(pg_stat_activity)::text LIKE '%req-4' || '2%'"));
        await holder.DisposeAsync();
        using var list = await read;
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, list);
        using var none = await write;
    }

    [Fact]
    public async Task Statements_are_operations_with_their_query_and_rows_and_no_value()
    {
        using var directory = new TemporaryDirectory();
        using var logs = new LogFiles();
        var events = directory.File("events");
        await using var service = await PostgresService.StartAsync(servers.Primary, logging: $$"""
            {{logs.Yaml}}
            telemetry: { exporters: { events: { type: json, path: '{{events}}', batch-delay-max-ms: 1 } } }
            """);
        var path = await service.CreateAsync("""{"title":"secret"}""");
        using var read = await service.SendAsync("GET", path);
        using var none = await service.SendAsync("DELETE", "/tasks/none");
        await service.StopAsync();
        var statements = SqlEvents.OfRequests(events);
        Assert.Equal(
            [
                ("request.store.create", Sql.Insert, 1L), ("request.store.find", Sql.Find, 1L),
                ("request.store.delete", Sql.Delete, 0L),
            ],
            statements.Select(one => (one.Parent, one.Query, one.Rows)));
        Assert.All(statements, one => Assert.Equal($"{one.Parent}.sql", one.Type));
        Assert.Equal(3, statements.Select(one => one.Id).Distinct().Count());
        Assert.DoesNotContain("secret", await File.ReadAllTextAsync(events), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exhausted_connections_of_the_server_are_503_until_one_is_free()
    {
        using var server = await PostgresServer.StartAsync("max_connections=8", "superuser_reserved_connections=0");
        await using var service = await PostgresService.StartAsync(server, more: "command-timeout: 1");
        await service.CreateAsync(Some.TaskJson);
        var others = new List<NpgsqlConnection>();
        try
        {
            server.Execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'TodoList'");
            await FillAsync(server, others);
            using var refused = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, refused);
            using var read = await service.SendAsync("GET", "/tasks");
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, read);
        }
        finally
        {
            others.ForEach(other => other.Dispose());
        }
        await Until.TrueAsync(
            () => (long)server.Query(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")! == 1,
            "free connections");
        await service.CreateAsync(Some.TaskJson);
    }

    [Fact]
    public async Task An_exhausted_pool_is_503()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: "pool-size: 1, command-timeout: 30", database: database);
        await using var holder = new NpgsqlConnection(servers.Primary.Connection(database, "Pooling=false"));
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE", holder);
        await hold.ExecuteNonQueryAsync();
        var waiting = service.SendAsync("GET", "/tasks");
        await Until.TrueAsync(
            () => (long)servers.Primary.Query(
                "SELECT count(*) FROM pg_stat_activity"
                + $" WHERE datname = '{database}' AND wait_event_type = 'Lock'")! == 1,
            "a read that waits");
        using var refused = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
        await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, refused);
        await transaction.RollbackAsync();
        using var read = await waiting;
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
    }

    /// <summary>Makes whoever needs the table wait until it is disposed of.</summary>
    private async Task<NpgsqlConnection> HoldAsync(string database)
    {
        var holder = new NpgsqlConnection(servers.Primary.Connection(database, "Pooling=false"));
        await holder.OpenAsync();
        await using var hold = new NpgsqlCommand("BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE", holder);
        await hold.ExecuteNonQueryAsync();
        return holder;
    }

    private static async Task FillAsync(PostgresServer server, List<NpgsqlConnection> others)
    {
        while (true)
        {
            var other = new NpgsqlConnection(server.Connection(more: "Pooling=false"));
            try
            {
                await other.OpenAsync();
                others.Add(other);
            }
            catch (PostgresException error) when (error.SqlState == PostgresErrorCodes.TooManyConnections)
            {
                await other.DisposeAsync();
                return;
            }
        }
    }

    private TaskStore Store(string database) =>
        PostgresTaskStore.Create($"primary: '{servers.Primary.Connection(database)}'");

    /// <summary>Makes the tables and puts rows into them.</summary>
    /// <returns>A session of its own.</returns>
    private async Task<NpgsqlConnection> FilledAsync(string insert)
    {
        var database = servers.Primary.CreateDatabase();
        await using (var store = Store(database))
        {
            await store.OpenAsync(CancellationToken.None);
        }
        servers.Primary.Execute(insert, database);
        var connection = new NpgsqlConnection(servers.Primary.Connection(database, "Pooling=false"));
        await connection.OpenAsync();
        return connection;
    }

    private static async Task<string> PlanAsync(NpgsqlCommand explain)
    {
        await using var reader = await explain.ExecuteReaderAsync();
        var plan = "";
        while (await reader.ReadAsync())
        {
            plan += reader.GetString(0) + "\n";
        }
        return plan;
    }
}
