using TaskService.Configuration;
using TaskService.Storage.Postgres;
using TaskService.Tests.Operations;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>Plans of queries on real servers, and the effects that they do not have.</summary>
public sealed class PostgresProfilerTests(PostgresFixture servers) : IClassFixture<PostgresFixture>, IDisposable
{
    private readonly ProfilerLog log = new();

    public void Dispose() => log.Dispose();

    [Fact]
    public async Task While_it_is_enabled_each_select_is_explained_once()
    {
        var plans = await ProfiledEngine.AssertExplainsOnceAsync("postgres");
        Assert.All(plans, plan => Assert.Contains("actual time=", plan, StringComparison.Ordinal));
        Assert.All(plans, plan => Assert.Contains("Execution Time: ", plan, StringComparison.Ordinal));
        Assert.Contains("Buffers: ", plans[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SELECT nextval('numbers')", "SELECT last_value FROM numbers", "nextval()")]
    [InlineData("SELECT add_row()", "SELECT count(*) FROM added", "INSERT")]
    public async Task A_select_with_a_side_effect_has_it_once(string sql, string effect, string refused)
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute(
            "CREATE SEQUENCE numbers; CREATE TABLE added (id int); CREATE FUNCTION add_row() RETURNS bigint"
            + " LANGUAGE sql AS 'INSERT INTO added VALUES (1) RETURNING 1::bigint'",
            database);
        await using var calls = Calls(database);
        calls.Profiler.Enable();
        await calls.ReadAsync(Query(sql), request: null, CancellationToken.None);
        var failure = (await log.LinesAsync("SQL PLAN FAILED", 1))[0];
        Assert.Equal(sql, failure["statement"]);
        Assert.Contains($"cannot execute {refused} in a read-only transaction", failure["reason"]!);
        Assert.Equal(1L, servers.Primary.Query(effect, database));
    }

    [Theory]
    [InlineData("SELECT 1; DROP TABLE added", "SQL PLAN FAILED")]
    [InlineData("SELECT 1; COMMIT; DROP TABLE added", "SQL PLAN FAILED")]
    [InlineData("SELECT * FROM added FOR UPDATE", "SQL PLAN FAILED")]
    [InlineData("SELECT 1 INTO another", "SQL PLAN")]
    public async Task What_is_more_than_a_select_is_refused_or_rolled_back(string sql, string message)
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute("CREATE TABLE added (id int)", database);
        await using var calls = Calls(database);
        calls.Profiler.Enable();
        calls.Profiler.Offer(sql, (Query(sql), false));
        await log.LinesAsync(message, 1);
        Assert.Equal("added", servers.Primary.Query(
            "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'", database));
    }

    [Fact]
    public async Task Locks_of_a_session_end_with_the_plan()
    {
        const string sql = "SELECT pg_advisory_lock(7)::text";
        var database = servers.Primary.CreateDatabase();
        await using var calls = Calls(database);
        calls.Profiler.Enable();
        calls.Profiler.Offer(sql, (Query(sql), false));
        Assert.Single(await log.LinesAsync("SQL PLAN", 1));
        await Until.TrueAsync(
            () => servers.Primary.Query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", database) is 0L,
            "no lock");
    }

    [Fact]
    public async Task A_query_is_explained_with_its_parameters_and_without_them_in_the_statement()
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute("CREATE TABLE words (word text); INSERT INTO words VALUES ('a'), ('b')", database);
        await using var calls = Calls(database);
        calls.Profiler.Enable();
        var query = PostgresQuery.Find("SELECT word FROM words WHERE word = @word", new("@word", "b"), row => 1L);
        await calls.ReadAsync(query, request: null, CancellationToken.None);
        var plan = (await log.LinesAsync("SQL PLAN", 1))[0];
        Assert.Equal("SELECT word FROM words WHERE word = @word", plan["statement"]);
        Assert.Contains("Filter: (word = 'b'::text)", plan["plan"]!);
        Assert.Contains("Rows Removed by Filter: 1", plan["plan"]!);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_plan_that_takes_long_delays_no_read_and_ends_with_the_engine(bool usesReplica)
    {
        const string sql = "SELECT pg_sleep(600)::text";
        var server = usesReplica ? servers.Standby : servers.Primary;
        var database = servers.Primary.CreateDatabase();
        await Until.TrueAsync(
            () => servers.Standby.Query($"SELECT count(*) FROM pg_database WHERE datname = '{database}'") is 1L,
            "the database on the standby");
        await using (var calls = Calls(database, $"replica: '{servers.Standby.Connection(database)}',"))
        {
            calls.Profiler.Enable();
            calls.Profiler.Offer(sql, (Query(sql), usesReplica));
            await Until.TrueAsync(() => Sleeping(server, database) == 1, "an EXPLAIN that sleeps");
            var query = Query("SELECT 5::bigint");
            await calls.ReadAsync(query, request: null, CancellationToken.None);
            Assert.Equal([5L], query.Rows);
        }
        await Until.TrueAsync(() => Sleeping(server, database) == 0, "no EXPLAIN");
        Assert.Empty(await log.LinesAsync("SQL PLAN FAILED", 0));
    }

    [Fact]
    public async Task A_plan_takes_no_longer_than_a_statement_may()
    {
        const string sql = "SELECT pg_sleep(600)::text";
        await using var calls = Calls(servers.Primary.CreateDatabase(), "command-timeout: 1,");
        calls.Profiler.Enable();
        calls.Profiler.Offer(sql, (Query(sql), false));
        Assert.Equal(sql, (await log.LinesAsync("SQL PLAN FAILED", 1))[0]["statement"]);
    }

    private static long Sleeping(PostgresServer server, string database) => (long)server.Query(
        $"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active'"
        + " AND query LIKE 'EXPLAIN (ANALYZE, BUFFERS) SELECT pg_sleep%'")!;

    private static PostgresQuery<long> Query(string sql) => new(sql, _ => { }, row => row.GetInt64(0));

    private PostgresCalls Calls(string database, string more = "command-timeout: 60,")
    {
        var problems = new ConfigProblems();
        var time = more.Contains("command-timeout", StringComparison.Ordinal) ? "" : "command-timeout: 60,";
        var map = YamlConfig.Read(
            "test.yaml",
            $"{{ {more} {time} primary: '{servers.Primary.Connection(database)}' }}",
            new Dictionary<string, string>(),
            problems);
        var settings = PostgresSettings.Read(new ConfigSection("", map, "test.yaml", problems));
        Assert.Empty(problems.Lines);
        return new PostgresCalls(settings!, "test", log.Loggers);
    }
}
