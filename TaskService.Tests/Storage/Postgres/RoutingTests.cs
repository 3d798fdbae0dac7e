using System.Globalization;
using System.Net;
using System.Net.Sockets;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>Which server is read, and how a client reads what it has written.</summary>
[Trait("Suite", "long")]
public sealed class RoutingTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const string ReadAfter = "X-Read-After";

    [Fact]
    public async Task Reads_go_to_a_replica_and_the_rest_to_the_primary_unless_a_whole_pattern_says_otherwise()
    {
        using var logs = new LogFiles();
        await using var service = await PostgresService.StartAsync(
            servers.Primary,
            servers.Standby,
            """force-primary: ["GET /tasks/p.*", "PATCH /tasks/both"], force-replica: ["PATCH /tasks/(r|both)"]""",
            logging: logs.Yaml);
        await service.CreateAsync(Some.TaskJson);
        await service.SendAsync("GET", "/tasks");
        await service.SendAsync("HEAD", "/tasks/");
        await service.SendAsync("GET", "/tasks?limit=1");
        await service.SendAsync("OPTIONS", "/tasks");
        await service.SendAsync("GET", "/tasks/a");
        await service.SendAsync("GET", "/tasks/p1");
        await service.SendAsync("GET", "/tasks/1p");
        await service.SendAsync("PATCH", "/tasks/r", RunningService.Json("{}"));
        await service.SendAsync("PATCH", "/tasks/rr", RunningService.Json("{}"));
        await service.SendAsync("PATCH", "/tasks/both", RunningService.Json("{}"));
        await service.SendAsync("PUT", "/tasks/a", RunningService.Json(Some.TaskJson));
        await service.SendAsync("DELETE", "/tasks/a");
        await service.StopAsync();
        string[] expected =
        [
            "primary POST /tasks", "replica GET /tasks", "replica HEAD /tasks/", "replica GET /tasks",
            "replica GET /tasks/a", "primary GET /tasks/p1", "replica GET /tasks/1p", "replica PATCH /tasks/r",
            "primary PATCH /tasks/rr", "primary PATCH /tasks/both", "primary PUT /tasks/a", "primary DELETE /tasks/a",
        ];
        Assert.Equal(expected, Used(logs));
    }

    [Theory]
    [InlineData("Host=::1;Port={0}")]
    [InlineData("Host=[::1]:{0}")]
    public async Task A_replica_on_another_port_of_an_address_of_version_6_is_read(string host)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "needs an IPv6 loopback");
        using var logs = new LogFiles();
        var database = servers.Primary.CreateDatabase();
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{Connection(servers.Primary)}', replica: '{Connection(servers.Standby)}' }}",
            logs.Yaml);
        await CaughtUpAsync(service);
        using var read = await service.SendAsync("GET", "/tasks");
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
        await service.StopAsync();
        Assert.Equal("replica GET /tasks", Used(logs)[^1]);

        string Connection(PostgresServer server) =>
            string.Format(CultureInfo.InvariantCulture, host, server.Port) + $";Username=postgres;Database={database}";
    }

    [Fact]
    public async Task The_log_line_of_a_read_names_the_server_that_was_used()
    {
        using var logs = new LogFiles();
        using var server = await PostgresServer.StartAsync();
        var primary = server.Connection();
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{primary}', replica: '{primary};Application Name=reader' }}", logs.Yaml);
        using var stood = await service.SendAsync("GET", "/tasks");
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, stood);
        server.Kill();
        using var failed = await service.SendAsync("GET", "/tasks");
        await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, failed);
        await service.StopAsync();
        Assert.Equal(["primary GET /tasks"], Used(logs));
    }

    [Fact]
    public async Task A_read_comes_from_the_selected_server_and_its_event_names_it()
    {
        using var directory = new TemporaryDirectory();
        var events = directory.File("events");
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, """force-primary: ["GET /tasks"]""", logging: $$"""
            telemetry: { exporters: { events: { type: json, path: '{{events}}', close-time-max-ms: 60000 } } }
            logging: { handlers: { console: { type: console, level: none } } }
            """);
        await CaughtUpAsync(service);
        using (await PauseAsync())
        {
            var path = await service.CreateAsync(Some.TaskJson);
            using var list = await service.SendAsync("GET", "/tasks");
            Assert.Contains(path[7..], await list.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            using var one = await service.SendAsync("GET", path);
            await PostgresService.AssertStatusAsync(HttpStatusCode.NotFound, one);
        }
        await service.StopAsync();
        var statements = SqlEvents.OfRequests(events);
        Assert.Equal(
            [("request.store.create", null), ("request.store.list", "primary"), ("request.store.find", "replica")],
            statements.Select(one => (one.Parent, one.ReadFrom)).TakeLast(3));
    }

    [Fact]
    public async Task One_server_for_both_has_one_pool_and_no_routing()
    {
        using var logs = new LogFiles();
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Primary, "pool-size: 1", database, logs.Yaml);
        using var created = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
        Assert.False(created.Headers.Contains(ReadAfter));
        using var read = await service.SendAsync("GET", "/tasks");
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
        Assert.Equal(1L, servers.Primary.Query(
            $"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"));
        await service.StopAsync();
        Assert.Empty(Used(logs));
    }

    [Fact]
    public async Task A_stale_replica_serves_clients_that_have_not_written()
    {
        await using var service = await PostgresService.StartAsync(servers.Primary, servers.Standby);
        await CaughtUpAsync(service);
        using var paused = await PauseAsync();
        var path = await service.CreateAsync(Some.TaskJson);
        using var read = await service.SendAsync("GET", path);
        await PostgresService.AssertStatusAsync(HttpStatusCode.NotFound, read);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task A_read_with_the_position_of_a_change_sees_the_change(string method)
    {
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, "read-your-writes-wait-max-ms: 0");
        var path = await service.CreateAsync("""{"title":"before"}""");
        await CaughtUpAsync(service);
        using var paused = await PauseAsync();
        using var change = await service.SendAsync(
            method, method == "POST" ? "/tasks" : path, RunningService.Json("""{"title":"after"}"""));
        Assert.True(change.IsSuccessStatusCode);
        var position = Assert.Single(change.Headers.GetValues(ReadAfter));
        Assert.Matches("^[0-9A-F]+/[0-9A-F]+$", position);

        using var old = await service.SendAsync("GET", "/tasks");
        Assert.DoesNotContain("after", await old.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var read = await service.SendAsync("GET", "/tasks", null, (ReadAfter, position));
        var list = await read.Content.ReadAsStringAsync();
        Assert.Equal(method != "DELETE", list.Contains("after", StringComparison.Ordinal));
        Assert.Equal(method == "POST", list.Contains("before", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_retry_of_a_create_sees_the_task_of_the_first_attempt()
    {
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, "read-your-writes-wait-max-ms: 0");
        await CaughtUpAsync(service);
        using var paused = await PauseAsync();
        for (var i = 0; i < 2; i++)
        {
            using var created = await service.SendAsync(
                "POST", "/tasks", RunningService.Json(Some.TaskJson), ("Idempotency-Key", "again"));
            await PostgresService.AssertStatusAsync(HttpStatusCode.Created, created);
            var position = Assert.Single(created.Headers.GetValues(ReadAfter));
            using var read = await service.SendAsync(
                "GET", created.Headers.Location!.OriginalString, null, (ReadAfter, position));
            await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
        }
        using var reused = await service.SendAsync(
            "POST", "/tasks", RunningService.Json("""{"title":"other"}"""), ("Idempotency-Key", "again"));
        await PostgresService.AssertStatusAsync(HttpStatusCode.UnprocessableEntity, reused);
        Assert.False(reused.Headers.Contains(ReadAfter));
    }

    [Fact]
    public async Task A_replica_with_other_settings_has_its_own_pool_and_the_event_names_the_server()
    {
        using var directory = new TemporaryDirectory();
        var events = directory.File("events");
        var database = servers.Primary.CreateDatabase();
        var primary = servers.Primary.Connection(database);
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{primary}', replica: '{primary};Application Name=reader' }}",
            $$"""
            telemetry: { exporters: { events: { type: json, path: '{{events}}', close-time-max-ms: 60000 } } }
            logging: { handlers: { console: { type: console, level: none } } }
            """);
        using var list = await service.SendAsync("GET", "/tasks");
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, list);
        Assert.Equal(1L, servers.Primary.Query(
            $"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'reader'"));
        await service.StopAsync();
        // Where replicas are looked for and there is none, the primary answers.
        Assert.Equal("primary", SqlEvents.OfRequests(events)[^1].ReadFrom);
    }

    [Fact]
    public async Task A_read_after_a_change_waits_for_the_replica_and_then_goes_to_it()
    {
        using var logs = new LogFiles();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, "read-your-writes-wait-max-ms: 60000", logging: logs.Yaml);
        await CaughtUpAsync(service);
        Task<HttpResponseMessage> read;
        using (await PauseAsync())
        {
            using var created = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
            var position = Assert.Single(created.Headers.GetValues(ReadAfter));
            read = service.SendAsync("GET", created.Headers.Location!.OriginalString, null, (ReadAfter, position));
            // It has looked at the replica, in vain, and goes on to look.
            await Until.TrueAsync(() => logs.Read("json").Count(IsWaiting) > 1, "a read that waits");
            Assert.False(read.IsCompleted);
        }
        using var answer = await read;
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, answer);
        await service.StopAsync();
        Assert.StartsWith("replica GET", Used(logs)[^1], StringComparison.Ordinal);
        Assert.DoesNotContain(logs.Read("logfmt"), line => line.Contains("for too long", StringComparison.Ordinal));

        static bool IsWaiting(string line) => line.Contains("waits for a replica", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    [InlineData("0/0")]
    [InlineData("FFFFFFFF/FFFFFFFF")]
    [InlineData("1FFFFFFFF/1")]
    [InlineData("0/1, 0/2")]
    public async Task A_wrong_position_is_never_an_error(string position)
    {
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, "read-your-writes-wait-max-ms: 1");
        await CaughtUpAsync(service);
        using var read = await service.SendAsync("GET", "/tasks", null, (ReadAfter, position));
        await PostgresService.AssertStatusAsync(HttpStatusCode.OK, read);
    }

    [Fact]
    public async Task A_conditional_change_that_read_an_old_version_from_a_replica_goes_on_with_the_new_one()
    {
        await using var service = await PostgresService.StartAsync(
            servers.Primary, servers.Standby, """force-replica: ["PATCH .*"]""");
        var path = await service.CreateAsync("""{"title":"before"}""");
        await CaughtUpAsync(service);
        using var paused = await PauseAsync();
        using var put = await service.SendAsync("PUT", path, RunningService.Json("""{"title":"between"}"""));
        await PostgresService.AssertStatusAsync(HttpStatusCode.NoContent, put);
        using var patch = await service.SendAsync("PATCH", path, RunningService.Json("""{"completed":true}"""));
        await PostgresService.AssertStatusAsync(HttpStatusCode.NoContent, patch);
        var position = Assert.Single(patch.Headers.GetValues(ReadAfter));
        using var read = await service.SendAsync("GET", path, null, (ReadAfter, position));
        Assert.Equal(
            """{"priority":"none","title":"between","completed":true}""", await read.Content.ReadAsStringAsync());
    }

    private static List<string> Used(LogFiles logs) =>
    [
        .. from line in logs.Read("json")
           let entry = System.Text.Json.JsonDocument.Parse(line).RootElement
           where entry.TryGetProperty("Server", out _)
           select $"{entry.GetProperty("Server").GetString()} {entry.GetProperty("Key").GetString()}",
    ];

    /// <summary>Waits until the service reads from the replica, and that has all there is.</summary>
    /// <remarks>Until then it falls back to the primary, as while a new database is not there yet.</remarks>
    private async Task CaughtUpAsync(RunningService service)
    {
        string path;
        var written = servers.Primary.Query("SELECT pg_current_wal_lsn()::text");
        await Until.TrueAsync(
            () => servers.Standby.Query($"SELECT pg_last_wal_replay_lsn() >= '{written}'") is true,
            "a replica that has the tables");
        using (await PauseAsync())
        {
            path = await service.CreateAsync("""{"title":"first"}""");
            await Until.TrueAsync(() => !IsFound(), "a read from the replica");
        }
        await Until.TrueAsync(IsFound, "a replica that goes on");
        using var deleted = await service.SendAsync("DELETE", path);

        bool IsFound()
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
            using var read = service.Client.Send(request);
            return read.IsSuccessStatusCode;
        }
    }

    private Task<Paused> PauseAsync() => Paused.BeginAsync(servers.Standby);

    private sealed class Paused : IDisposable
    {
        private readonly PostgresServer standby;

        private Paused(PostgresServer standby) => this.standby = standby;

        public static async Task<Paused> BeginAsync(PostgresServer standby)
        {
            standby.Execute("SELECT pg_wal_replay_pause()");
            await Until.TrueAsync(
                () => (string?)standby.Query("SELECT pg_get_wal_replay_pause_state()") == "paused", "a pause");
            return new Paused(standby);
        }

        public void Dispose() => standby.Execute("SELECT pg_wal_replay_resume()");
    }
}
