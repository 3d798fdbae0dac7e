using TaskService.Tests.Hosting;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>The command <c>stats-db</c> on PostgreSQL.</summary>
[Trait("Suite", "integration")]
public sealed class PostgresStatsTests(PostgresFixture servers) : StatsDbRun, IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task Tables_of_the_schemas_asked_for_are_counted_for_statsd_and_the_push_gateway()
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute(
            """"
            CREATE TABLE hello (id int); INSERT INTO hello VALUES (1), (2), (3);
            CREATE TABLE "Mixed ""C\a""" (id int); INSERT INTO "Mixed ""C\a""" VALUES (1);
            CREATE VIEW seen AS SELECT * FROM hello;
            CREATE SCHEMA other; CREATE TABLE other.hidden (id int)
            """",
            database);
        await using var gateway = await PushGateway.StartAsync();
        Assert.Empty(await RunAsync(
            0,
            "stats-db", "--db", servers.Primary.Connection(database), "--schema", "public",
            "--extra", "select 'toto', 42", "--extra", "SELECT 'a.b', -1.5 UNION ALL SELECT 'c', 0",
            "--statsd-address", StatsdAddress, "--push-gateway-url", $"{gateway.Url}/", "--instance", "host 1"));
        Assert.Equal(
            [
                "c2c.public.Mixed \"C\\a\":1|g", "c2c.public.hello:3|g", "c2c.toto:42|g",
                // A negative gauge would be a change.
                "c2c.a.b:0|g\nc2c.a.b:-1.5|g", "c2c.c:0|g",
            ],
            await PacketsAsync(5));
        Assert.Equal(
            (
                "PUT /metrics/job/db_counts/instance/host%201",
                """
                # TYPE database_table_count gauge
                database_table_count{metric="public.Mixed \"C\\a\""} 1
                database_table_count{metric="public.hello"} 3
                database_table_count{metric="toto"} 42
                database_table_count{metric="a.b"} -1.5
                database_table_count{metric="c"} 0

                """),
            Assert.Single(gateway.Requests));
    }

    [Fact]
    public async Task Of_several_schemas_each_is_counted_and_one_that_is_missing_is_an_error()
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute(
            "CREATE TABLE hello (id int); CREATE SCHEMA other; CREATE TABLE other.hidden (id int)", database);
        var connection = servers.Primary.Connection(database);
        Assert.Equal(
            ["taskservice: none: there is no such schema"],
            await RunAsync(
                1, "stats-db", "--db", connection, "--schema", "other", "none", "--schema", "public",
                "--statsd-address", StatsdAddress, "--statsd-prefix", "x."));
        Assert.Equal(
            ["x.other.hidden:0|g", "x.public.hello:0|g", "x.error.none:1|c"], await PacketsAsync(3));
    }

    [Fact]
    public async Task Of_a_table_or_a_query_that_fails_the_others_are_still_reported_and_nothing_is_changed()
    {
        var database = servers.Primary.CreateDatabase();
        servers.Primary.Execute(
            $"""
            CREATE TABLE denied (id int); CREATE TABLE hello (id int); INSERT INTO hello VALUES (1);
            CREATE ROLE reader_{database} LOGIN; GRANT SELECT, DELETE ON hello TO reader_{database}
            """,
            database);
        await using var gateway = await PushGateway.StartAsync();
        var connection = servers.Primary.Connection(database)
            .Replace("=postgres;", $"=reader_{database};", StringComparison.Ordinal);
        var errors = await RunAsync(
            1,
            "stats-db", "--db", connection,
            "--extra", "select wrong", "--extra", "DELETE FROM hello RETURNING 'gone', 1", "--extra", "SELECT 1",
            "--extra", "SELECT 'n', null::int", "--extra", "SELECT 'x', 'y'", "--extra", "SELECT 'last', 9",
            "--statsd-address", StatsdAddress, "--push-gateway-url", $"{gateway.Url}", "--instance", "a/b");
        Assert.Equal(6, errors.Length);
        Assert.StartsWith("taskservice: public.denied: 42501: permission denied for table denied", errors[0]);
        Assert.StartsWith("taskservice: extra.1: 42703: column \"wrong\" does not exist", errors[1]);
        Assert.Contains("cannot execute DELETE in a read-only transaction", errors[2]);
        Assert.Equal("taskservice: extra.3: it must have two columns, a metric and its value", errors[3]);
        Assert.Equal("taskservice: extra.4: a metric or its value is null", errors[4]);
        Assert.Equal(
            [
                "c2c.public.hello:1|g", "c2c.last:9|g", "c2c.error.public.denied:1|c", "c2c.error.extra.1:1|c",
                "c2c.error.extra.2:1|c", "c2c.error.extra.3:1|c", "c2c.error.extra.4:1|c", "c2c.error.extra.5:1|c",
            ],
            await PacketsAsync(8));
        var (request, body) = Assert.Single(gateway.Requests);
        Assert.Equal("PUT /metrics/job/db_counts/instance@base64/YS9i", request);
        Assert.Contains(
            "# TYPE database_table_errors gauge\ndatabase_table_errors{metric=\"public.denied\"} 1\n", body);
        Assert.Equal(1L, servers.Primary.Query("SELECT count(*) FROM hello", database));
    }

    [Theory]
    [InlineData(1, "the database cannot be read: ", "Host=127.0.0.1;Port=1;Username=u")]
    [InlineData(78, "--db: task-db.postgres.primary: must be keywords and values", "postgres://db/x")]
    public async Task What_is_wrong_is_said_in_one_line(int code, string reason, string database) => Assert.Contains(
        reason, Assert.Single(await RunAsync(code, "stats-db", "--db", database)), StringComparison.Ordinal);
}
