using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A primary and a standby that streams from it, for the tests of a class.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private PostgresServer? primary;
    private PostgresServer? standby;

    internal PostgresServer Primary => Started(primary);

    internal PostgresServer Standby => Started(standby);

    public async ValueTask InitializeAsync()
    {
        if (PostgresServer.IsInstalled)
        {
            primary = await PostgresServer.StartAsync("max_connections=40", "listen_addresses=127.0.0.1,::1");
            standby = await primary.StartStandbyAsync();
        }
    }

    public ValueTask DisposeAsync()
    {
        standby?.Dispose();
        primary?.Dispose();
        return ValueTask.CompletedTask;
    }

    // Of a fixture that skips, the tests would fail.
    private static PostgresServer Started(PostgresServer? server)
    {
        PostgresServer.SkipUnlessInstalled();
        return server!;
    }
}
