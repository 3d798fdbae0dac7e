using System.Text.Json.Nodes;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>What <c>health_check</c> says of the servers, each by its name.</summary>
public sealed class PostgresHealthTests
{
    private const string Secret = "the-secret-of-everything";

    [Fact]
    public async Task Each_replica_and_the_schema_are_checked_on_their_own()
    {
        PostgresServer.SkipUnlessInstalled();
        using var primary = await PostgresServer.StartAsync();
        using var standby = await primary.StartStandbyAsync();
        var database = primary.CreateDatabase();
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{primary.Connection(database)}', replica: '{standby.Connection(database)}' }}",
            operations: $"secret: {Secret}");
        var (replica, schema) = ($"storage_replica_{standby.Address}", $"migrations_replica_{standby.Address}");
        await ExpectAsync(service, ["storage", "migrations", replica, schema], []);

        var last = (string)primary.Query("SELECT max(name) FROM schema_migrations", database)!;
        primary.Execute("UPDATE schema_migrations SET name = '999_new.sql', version = 999 WHERE version = "
            + "(SELECT max(version) FROM schema_migrations)", database);
        var failures = await ExpectAsync(service, ["storage", replica], ["migrations", schema]);
        Assert.All(failures, failure => Assert.Contains("999_new.sql", failure, StringComparison.Ordinal));
        Assert.All(failures, failure => Assert.Contains(last, failure, StringComparison.Ordinal));

        standby.Kill();
        failures = await ExpectAsync(service, ["storage"], ["migrations", replica, schema]);
        Assert.Contains(failures, failure => failure.Contains("refused", StringComparison.Ordinal));
        using var ready = await service.SendAsync("GET", "/health/ready");
        Assert.True(ready.IsSuccessStatusCode);
    }

    [Fact]
    public async Task One_server_for_both_is_checked_once()
    {
        PostgresServer.SkipUnlessInstalled();
        using var primary = await PostgresServer.StartAsync();
        var connection = primary.Connection(primary.CreateDatabase());
        await using var service = await RunningService.StartAsync(
            $"postgres: {{ primary: '{connection}', replica: '{connection}' }}", operations: $"secret: {Secret}");
        await ExpectAsync(service, ["storage", "migrations"], []);
    }

    /// <returns>The messages of the failures.</returns>
    private static async Task<IReadOnlyList<string>> ExpectAsync(
        RunningService service, string[] successes, string[] failures)
    {
        using var client = service.Operator(Secret);
        var last = "";
        var body = await Until.ResultAsync(
            async () =>
            {
                using var response = await client.GetAsync(new Uri("/ops/health_check?max_level=2", UriKind.Relative));
                last = await response.Content.ReadAsStringAsync();
                var body = JsonNode.Parse(last)!;
                return body["successes"]!.AsArray().Select(name => (string)name!).SequenceEqual(successes)
                    && body["failures"]!.AsObject().Select(one => one.Key).SequenceEqual(failures)
                        ? body : null;
            },
            $"successes {string.Join(", ", successes)}",
            () => last);
        return [.. body["failures"]!.AsObject().Select(one => (string)one.Value!["message"]!)];
    }
}
