namespace TaskService.Tests.Hosting;

/// <summary>The command <c>stats-db</c>, as far as no database is needed.</summary>
[Trait("Suite", "integration")]
public sealed class StatsDbTests : StatsDbRun
{
    [Theory]
    [InlineData(1, "this storage engine has no tables; sqlite and postgres have", "-c", "c.yaml")]
    [InlineData(78, "none.yaml: the configuration file cannot be read", "--config", "none.yaml")]
    [InlineData(2, "--config and --db are two databases; choose one", "--db", "sqlite:x", "--config", "c.yaml")]
    [InlineData(2, "--statsd-address must be a host", "--statsd-address", "a b")]
    [InlineData(2, "--push-gateway-url must be a URL", "--push-gateway-url", "localhost:9091")]
    public async Task What_is_wrong_is_said_in_one_line(int code, string reason, params string[] args)
    {
        await File.WriteAllTextAsync(Files.File("c.yaml"), "task-db: { memory: }\n");
        Assert.Contains(
            reason, Assert.Single(await RunAsync(code, ["stats-db", .. args])), StringComparison.Ordinal);
    }
}
