using TaskService.Tests.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>The command <c>stats-db</c> on SQLite.</summary>
[Trait("Suite", "integration")]
public sealed class SqliteStatsTests : StatsDbRun
{
    [Fact]
    public async Task Without_a_target_the_numbers_of_the_configured_database_are_written_while_the_service_runs()
    {
        await File.WriteAllTextAsync(Files.File("c.yaml"), "task-db: { sqlite: tasks.db }\n");
        await using var service = await RunningService.StartAsync($"sqlite: '{Files.File("tasks.db")}'");
        await service.CreateAsync(Some.TaskJson);
        await service.CreateAsync(Some.TaskJson);
        foreach (var source in new string[][] { ["--config", "c.yaml"], ["--db", "sqlite:tasks.db"] })
        {
            using var process = ServiceProcess.Start(
                Files.Path, ["stats-db", .. source, "--extra", "SELECT 'open', count(*) FROM tasks"]);
            Assert.Equal(0, await process.ExitAsync());
            Assert.Equal(
                ["main.idempotency_keys 0", "main.schema_migrations 2", "main.tasks 2", "open 2"],
                process.Output.Order());
            Assert.Empty(process.Errors);
        }
    }

    [Fact]
    public async Task A_gateway_that_is_away_or_refuses_is_an_error_and_statsd_gets_its_numbers()
    {
        using (var database = new SqliteDatabase(Files.File("empty.db")))
        {
            database.Run("CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)");
        }
        await using var gateway = await PushGateway.StartAsync(400);
        using var reserved = new ReservedPort();
        foreach (var (url, reason) in new[]
        {
            ($"{gateway.Url}", $"taskservice: {gateway.Url}/ answers 400"),
            ($"http://127.0.0.1:{reserved.Number}", "Connection refused"),
        })
        {
            var errors = await RunAsync(
                1, "stats-db", "--db", "sqlite:empty.db", "--push-gateway-url", url, "--statsd-address", StatsdAddress);
            Assert.Contains(reason, Assert.Single(errors), StringComparison.Ordinal);
            Assert.Equal(["c2c.main.t:1|g"], await PacketsAsync(1));
        }
    }

    [Fact]
    public async Task A_file_that_is_missing_is_an_error_and_none_is_created()
    {
        var errors = await RunAsync(1, "stats-db", "--db", "sqlite:none.db");
        Assert.StartsWith(
            "taskservice: the database cannot be read: ", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Files.Path));
    }
}
