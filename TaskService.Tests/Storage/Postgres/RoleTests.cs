using System.Net;
using System.Text.RegularExpressions;
using TaskService.Domain;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// The service as a role that has rights on rows alone, and a schema or rights that change under it.
/// </summary>
[Trait("Suite", "long")]
public sealed partial class RoleTests(PostgresFixture servers) : IClassFixture<PostgresFixture>
{
    private const string Rights = "SELECT, INSERT, UPDATE, DELETE ON tasks, idempotency_keys";

    /// <summary>What is done before the start, and why it does not start; R stands for the role.</summary>
    public static TheoryData<string, string> NoStarts => new()
    {
        { "REVOKE SELECT ON tasks FROM R", "the role R has no right to SELECT on tasks" },
        { "REVOKE INSERT ON tasks FROM R", "the role R has no right to INSERT on tasks" },
        { "REVOKE UPDATE ON tasks FROM R", "the role R has no right to UPDATE on tasks" },
        { "REVOKE DELETE ON tasks FROM R", "the role R has no right to DELETE on tasks" },
        { "REVOKE UPDATE, DELETE ON idempotency_keys FROM R",
            "the role R has no right to UPDATE on idempotency_keys,"
            + " the role R has no right to DELETE on idempotency_keys" },
        { "REVOKE SELECT ON schema_migrations FROM R", "permission denied for table schema_migrations" },
        { "ALTER ROLE R SET default_transaction_read_only = on", "its transactions are read-only" },
        { "ALTER TABLE tasks RENAME TO kept", "relation \"tasks\" does not exist" },
        { "DROP TABLE tasks, idempotency_keys, schema_migrations",
            "the migration 001_tasks.sql failed: 42501: permission denied for schema public; --migrate-only as the"
            + " owner of the schema brings it up to date" },
    };

    /// <summary>
    /// What is done to a service that runs, what undoes it, and the statuses of a create, a create with a key, and a
    /// read meanwhile.
    /// </summary>
    public static TheoryData<string, string, int, int, int> Changes => new()
    {
        { "REVOKE INSERT ON tasks FROM R", "GRANT INSERT ON tasks TO R", 503, 503, 200 },
        { "REVOKE SELECT ON tasks FROM R", "GRANT SELECT ON tasks TO R", 503, 201, 503 },
        { "REVOKE UPDATE ON idempotency_keys FROM R", "GRANT UPDATE ON idempotency_keys TO R", 201, 503, 200 },
        { "ALTER TABLE tasks RENAME TO kept", "ALTER TABLE kept RENAME TO tasks", 503, 503, 503 },
        { "ALTER TABLE idempotency_keys RENAME TO kept", "ALTER TABLE kept RENAME TO idempotency_keys", 201, 503, 200 },
        { "ALTER SCHEMA public RENAME TO kept", "ALTER SCHEMA kept RENAME TO public", 503, 503, 503 },
        { "ALTER ROLE R SET default_transaction_read_only = on; SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            + " WHERE usename = 'R'",
            "ALTER ROLE R RESET ALL; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'R'",
            503, 503, 200 },
        { "ALTER ROLE R NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'R'",
            "ALTER ROLE R LOGIN", 503, 503, 503 },
    };

    [Fact]
    public async Task The_owner_migrates_and_the_service_runs_as_the_role_of_the_documentation()
    {
        var documentation = await File.ReadAllTextAsync(TestRoot.File("docs", "storage.md"));
        var grants = Assert.Single(SqlBlock().Matches(documentation)).Groups[1].Value;
        var database = servers.Primary.CreateDatabase();
        var schema = await MigrateAsync(servers.Primary.Connection(database));
        servers.Primary.Execute(grants, database);
        Assert.Equal(schema, await MigrateAsync(ConnectionOf("taskservice", database)));
        await using var service = await StartAsync("taskservice", database);
        var path = await service.CreateAsync(Some.TaskJson);
        await AssertAsync(service, 201, "POST", "/tasks", "key");
        await AssertAsync(service, 201, "POST", "/tasks", "key");
        await AssertAsync(service, 204, "PUT", path);
        await AssertAsync(service, 204, "PATCH", path);
        await AssertAsync(service, 200, "GET", "/tasks");
        await AssertAsync(service, 204, "DELETE", path);
        await AssertAsync(service, 200, "GET", "/health/ready");
    }

    [Theory]
    [MemberData(nameof(NoStarts))]
    public async Task Where_changes_are_not_possible_the_start_fails_with_the_reason(string sql, string problem)
    {
        var (database, role) = await MigratedAsync();
        servers.Primary.Execute(For(role, sql), database);
        await using var store = PostgresTaskStore.Create($"primary: '{ConnectionOf(role, database)}'");
        var error = await Assert.ThrowsAsync<StorageException>(() => store.OpenAsync(CancellationToken.None));
        Assert.Equal(
            $"task-db.postgres: {servers.Primary.Address} cannot be used: "
            + For(role, problem),
            error.Message);
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_revoked_right_or_a_changed_schema_is_503_until_it_is_restored(
        string sql, string undo, int create, int createWithKey, int read)
    {
        var (database, role) = await MigratedAsync();
        await using var service = await StartAsync(role, database);
        var path = await service.CreateAsync(Some.TaskJson);
        await AssertAsync(service, 200, "GET", path);

        servers.Primary.Execute(For(role, sql), database);
        await AssertAsync(service, 503, "GET", "/health/ready");
        await AssertAsync(service, create, "POST", "/tasks");
        await AssertAsync(service, createWithKey, "POST", "/tasks", "key");
        await AssertAsync(service, read, "GET", path);
        await AssertAsync(service, read, "GET", "/tasks");

        servers.Primary.Execute(For(role, undo), database);
        await Until.TrueAsync(() => IsReady(service), "a service that is ready");
        await AssertAsync(service, 201, "POST", "/tasks");
        await AssertAsync(service, 201, "POST", "/tasks", "key");
        await AssertAsync(service, 200, "GET", path);
    }

    private static async Task AssertAsync(
        RunningService service, int expected, string method, string path, string? key = null)
    {
        (string, string)[] headers = key is null ? [] : [("Idempotency-Key", key)];
        using var answer = await service.SendAsync(
            method, path, method is "GET" or "DELETE" ? null : RunningService.Json(Some.TaskJson), headers);
        await PostgresService.AssertStatusAsync((HttpStatusCode)expected, answer);
    }

    private static bool IsReady(RunningService service)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/health/ready", UriKind.Relative));
        using var answer = service.Client.Send(request);
        return answer.IsSuccessStatusCode;
    }

    private static async Task<string> MigrateAsync(string connection)
    {
        var (settings, _) = Settings.Read(
            "test.yaml",
            $$"""
            task-db: { postgres: { primary: '{{connection}}' } }
            logging: { handlers: { console: { type: console, level: none } } }
            """,
            new Dictionary<string, string>(),
            new CommandLineOptions());
        using var output = new StringWriter();
        Assert.Equal(ExitCodes.Fine, await TodoListHost.MigrateAsync(
            settings, Program.Application(), output, CancellationToken.None));
        Assert.StartsWith("the schema is at ", output.ToString(), StringComparison.Ordinal);
        return output.ToString();
    }

    private static string For(string role, string sql) => RoleName().Replace(sql, role);

    /// <summary>A database with a schema of another owner, and a role with rights on its rows.</summary>
    private async Task<(string Database, string Role)> MigratedAsync()
    {
        var database = servers.Primary.CreateDatabase();
        var role = $"app_{database}";
        await MigrateAsync(servers.Primary.Connection(database));
        servers.Primary.Execute(
            $"CREATE ROLE {role} LOGIN; GRANT SELECT ON schema_migrations TO {role}; GRANT {Rights} TO {role}",
            database);
        return (database, role);
    }

    private Task<RunningService> StartAsync(string role, string database) =>
        RunningService.StartAsync($"postgres: {{ primary: '{ConnectionOf(role, database)}' }}", debug: true);

    private string ConnectionOf(string role, string database) =>
        $"Host=127.0.0.1;Port={servers.Primary.Port};Username={role};Database={database}";

    [GeneratedRegex(@"\bR\b")]
    private static partial Regex RoleName();

    [GeneratedRegex("```sql\r?\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex SqlBlock();
}
