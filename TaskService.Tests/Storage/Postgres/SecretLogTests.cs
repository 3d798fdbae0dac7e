using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A service that logs all there is, with a canary as each secret.</summary>
public sealed class SecretLogTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const string Canary = "s3cretCanary";

    [Fact]
    public async Task No_log_and_no_event_has_a_password_or_a_key_in_it()
    {
        using var directory = new TemporaryDirectory();
        var (log, events) = (directory.File("log"), directory.File("events"));
        var connection = $"{servers.Primary.Connection(servers.Primary.CreateDatabase())};Password={Canary}";
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{connection}', replica: '{connection};Application Name=reader' }}",
            $$"""
            logging:
              handlers: { all: { type: file, path: '{{log}}', level: trace, format: json } }
              loggers: { taskservice: { level: trace }, Npgsql: { level: trace } }
              root: { level: trace, handlers: [all] }
            telemetry:
              trace-probability: 1
              exporters:
                events: { type: json, path: '{{events}}' }
                otlp: { type: otlp, endpoint: 'http://me:{{Canary}}@127.0.0.1:1/?key={{Canary}}',
                  headers: 'key={{Canary}}', attempts-max: 1, batch-delay-max-ms: 1 }
            """,
            debug: true);
        await service.CreateAsync(Some.TaskJson);
        servers.Primary.Execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('TodoList', 'reader')");
        using var read = await service.SendAsync("GET", "/tasks");
        using var lost = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
        Assert.DoesNotContain(Canary, await lost.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await service.StopAsync();
        var lines = LogFiles.WholeLines(log).Concat(LogFiles.WholeLines(events)).ToList();
        Assert.Contains(lines, line => line.Contains("EXPORTER DROPS", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("Npgsql", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.DoesNotContain(Canary, line, StringComparison.Ordinal));
    }
}
