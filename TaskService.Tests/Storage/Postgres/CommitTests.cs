using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// A standby that should have each change does not get them. A commit whose wait for it is cancelled looks like one
/// that succeeded, but for a notice: it must not be acknowledged.
/// </summary>
[Trait("Suite", "long")]
public sealed class CommitTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const string Body = """{"title":"once"}""";

    [Theory]
    [InlineData("command timeout", "notice")]
    [InlineData("statement_timeout", "notice")]
    [InlineData("statement_timeout", "error")]
    [InlineData("pg_cancel_backend", "notice")]
    [InlineData("pg_cancel_backend", "error")]
    [InlineData("pg_terminate_backend", "notice")]
    public async Task A_commit_that_did_not_wait_for_its_standby_is_503_and_a_retry_finds_it(
        string ending, string clientMinMessages)
    {
        var database = servers.Primary.CreateDatabase();
        // The server sends no warning with the last of its levels, unless a session wants them.
        servers.Primary.Execute($"ALTER DATABASE {database} SET client_min_messages = {clientMinMessages}");
        // Long enough for what the service does at its start.
        servers.Primary.Execute(
            $"ALTER DATABASE {database} SET statement_timeout = {(ending == "statement_timeout" ? 2_000 : 0)}");
        var isByHand = ending.StartsWith("pg_", StringComparison.Ordinal);
        var timeout = isByHand || ending == "statement_timeout" ? 60 : 1;
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: $"command-timeout: {timeout}", database: database);
        using (await StalledAsync())
        {
            var create = CreateAsync(service);
            if (isByHand)
            {
                await WaitsAsync(database);
                servers.Primary.Execute(
                    $"SELECT {ending}(pid) FROM pg_stat_activity"
                    + $" WHERE wait_event = 'SyncRep' AND datname = '{database}'");
            }
            using var answer = await create;
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, answer);
            Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter!.Delta);
        }
        await AssertOnceAsync(service);
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("POST", false)]
    [InlineData("DELETE", false)]
    public async Task A_change_that_times_out_is_503_and_goes_on(string method, bool hasKey)
    {
        var database = servers.Primary.CreateDatabase();
        using var logs = new LogFiles();
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{servers.Primary.Connection(database)}', command-timeout: 60 }}",
            logs.Yaml,
            http: "request-time-max-ms: 1000");
        var path = await service.CreateAsync("""{"title":"before"}""");
        using (await StalledAsync())
        {
            using var answer = await service.SendAsync(
                method,
                method == "POST" ? "/tasks" : path,
                RunningService.Json(Body),
                hasKey ? [("Idempotency-Key", "once")] : []);
            await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, answer);
            Assert.Equal(1L, Waiting(database));
        }
        var expected = method == "POST" ? 2L : 0L;
        await Until.TrueAsync(
            () => (long)servers.Primary.Query("SELECT count(*) FROM tasks", database)! == expected, "its end");
        if (hasKey)
        {
            using var retry = await CreateAsync(service);
            await PostgresService.AssertStatusAsync(HttpStatusCode.Created, retry);
            Assert.Equal(expected, servers.Primary.Query("SELECT count(*) FROM tasks", database));
        }
        await service.StopAsync();
        // It went well.
        Assert.DoesNotContain(logs.Read("logfmt"), line => line.Contains("nobody waited", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Creates_in_one_batch_share_the_unknown_outcome_of_its_commit()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: "command-timeout: 1", database: database);
        using (await StalledAsync())
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(
                _ => service.SendAsync("POST", "/tasks", RunningService.Json(Body))));
            foreach (var answer in answers)
            {
                await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, answer);
                answer.Dispose();
            }
        }
        // Those that were sent are there, as it is with a commit that is not known.
        Assert.NotEqual(0L, servers.Primary.Query("SELECT count(*) FROM tasks", database));
    }

    [Fact]
    public async Task A_warning_of_a_trigger_does_not_make_the_outcome_unknown()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(servers.Primary, database: database);
        servers.Primary.Execute(
            "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS"
            + " $$ BEGIN RAISE WARNING 'of a trigger'; RETURN NEW; END $$;"
            + " CREATE TRIGGER warn BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION warn()",
            database);
        using var answer = await service.SendAsync("POST", "/tasks", RunningService.Json(Body));
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task A_change_that_did_not_wait_for_its_standby_is_503(string method)
    {
        await using var service = await PostgresService.StartAsync(servers.Primary, more: "command-timeout: 1");
        var path = await service.CreateAsync(Body);
        using var stalled = await StalledAsync();
        using var answer = await service.SendAsync(method, path, RunningService.Json("""{"title":"other"}"""));
        await PostgresService.AssertStatusAsync(HttpStatusCode.ServiceUnavailable, answer);
    }

    [Fact]
    public async Task A_client_that_disconnects_does_not_cancel_its_change()
    {
        var database = servers.Primary.CreateDatabase();
        await using var service = await PostgresService.StartAsync(
            servers.Primary, more: "command-timeout: 60", database: database);
        using (await StalledAsync())
        {
            using var gone = new CancellationTokenSource();
            var create = CreateAsync(service, gone.Token);
            await WaitsAsync(database);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create);
            Assert.Equal(1L, Waiting(database));
        }
        await AssertOnceAsync(service);
    }

    private static async Task<HttpResponseMessage> CreateAsync(
        RunningService service, CancellationToken cancel = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/tasks", UriKind.Relative));
        request.Content = RunningService.Json(Body);
        request.Headers.Add("Idempotency-Key", "once");
        return await service.Client.SendAsync(request, cancel);
    }

    private static async Task AssertOnceAsync(RunningService service)
    {
        using var limit = new CancellationTokenSource(Until.Limit);
        var retry = await CreateAsync(service, limit.Token);
        // The first one is still at work for a moment.
        while (retry.StatusCode == HttpStatusCode.Conflict)
        {
            retry.Dispose();
            retry = await CreateAsync(service, limit.Token);
        }
        await PostgresService.AssertStatusAsync(HttpStatusCode.Created, retry);
        var id = retry.Headers.Location!.OriginalString[7..];
        Assert.Equal(
            $$$"""{"{{{id}}}":{"priority":"none","title":"once","completed":false}}""",
            await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
    }

    private Task WaitsAsync(string database) => Until.TrueAsync(() => Waiting(database) == 1, "a commit that waits");

    private long Waiting(string database) => (long)servers.Primary.Query(
        $"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = '{database}'")!;

    /// <summary>Every commit waits for a standby that there is not, until the answer is disposed of.</summary>
    private async Task<Stalled> StalledAsync()
    {
        await servers.Primary.SynchronizeAsync("nobody");
        return new Stalled(servers.Primary);
    }

    private sealed class Stalled(PostgresServer primary) : IDisposable
    {
        public void Dispose() => primary.Set("synchronous_standby_names", "");
    }
}
