using TaskService.Tests.Storage.Postgres;
using TaskService.Tests.Support;

[assembly: AssemblyFixture(typeof(PostgresStorage))]

namespace TaskService.Tests.Storage.Postgres;

/// <summary>
/// Databases for <see cref="TestEngine"/>, on one server, which is started for the first and stopped after all tests.
/// </summary>
internal sealed class PostgresStorage : IDisposable
{
    private static readonly Lazy<PostgresServer> Server =
        new(() => Task.Run(() => PostgresServer.StartAsync("max_connections=200")).GetAwaiter().GetResult());

    public static TestStorage New()
    {
        // Here, since the server below would fail again for each test instead.
        PostgresServer.SkipUnlessInstalled();
        var server = Server.Value;
        var database = server.CreateDatabase();
        // 64 callers share 16 connections, however slow the machine is.
        return new TestStorage(
            $"postgres: {{ primary: '{server.Connection(database, "Timeout=60")}', command-timeout: 60 }}",
            sql => server.Execute(sql, database));
    }

    public void Dispose()
    {
        if (Server.IsValueCreated)
        {
            Server.Value.Dispose();
        }
    }
}
