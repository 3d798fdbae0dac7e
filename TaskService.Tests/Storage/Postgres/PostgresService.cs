using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>The service on PostgreSQL.</summary>
internal static class PostgresService
{
    /// <summary>Changes on one server, reads on another.</summary>
    /// <param name="primary">Takes changes.</param>
    /// <param name="replica">Is read; null for none.</param>
    /// <param name="more">Other members of <c>task-db.postgres</c>.</param>
    /// <param name="database">A new one when it is null.</param>
    /// <param name="logging">The section.</param>
    public static Task<RunningService> StartAsync(
        PostgresServer primary,
        PostgresServer? replica = null,
        string more = "",
        string? database = null,
        string? logging = null)
    {
        database ??= primary.CreateDatabase();
        var reads = replica is null ? "" : $"replica: '{replica.Connection(database)}',";
        return StartAsync($"primary: '{primary.Connection(database)}', {reads} {more}", logging);
    }

    /// <summary>Several hosts, of which any may become the primary.</summary>
    public static Task<RunningService> StartOnAllAsync(
        IEnumerable<string> addresses, string database, string more = "", string? logging = null)
    {
        var hosts = string.Join(',', addresses);
        var all = $"Host={hosts};Username=postgres;Database={database}";
        return StartAsync($"primary: '{all}', replica: '{all}', {more}", logging);
    }

    /// <summary>Changes on some hosts, reads on others or the same.</summary>
    /// <param name="primaries">Of which one takes changes.</param>
    /// <param name="replicas">Are read.</param>
    /// <param name="database">Is there.</param>
    /// <param name="more">Of the connection string of the replicas.</param>
    public static Task<RunningService> StartOnAsync(
        IEnumerable<PostgresServer> primaries, IEnumerable<PostgresServer> replicas, string database, string more)
    {
        return StartAsync(
            $"primary: '{Connection(primaries)}', replica: '{Connection(replicas)}{more}'", logging: null);

        string Connection(IEnumerable<PostgresServer> servers) =>
            $"Host={string.Join(',', servers.Select(server => server.Address))};Username=postgres;Database={database};";
    }

    private static Task<RunningService> StartAsync(string members, string? logging)
    {
        // Only a test that waits for the end of this time names it.
        var time = members.Contains("command-timeout", StringComparison.Ordinal) ? "" : "command-timeout: 60,";
        return RunningService.StartAsync($$"""postgres: { {{time}} {{members}} }""", logging, debug: logging is null);
    }

    /// <summary>Says what went wrong when it did.</summary>
    public static async Task AssertStatusAsync(HttpStatusCode expected, HttpResponseMessage answer) =>
        Assert.True(
            expected == answer.StatusCode,
            $"{(int)answer.StatusCode} instead of {(int)expected}: {await answer.Content.ReadAsStringAsync()}");
}
