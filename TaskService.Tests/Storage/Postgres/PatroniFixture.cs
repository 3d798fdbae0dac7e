using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A cluster for the tests of a class.</summary>
public sealed class PatroniFixture : IAsyncLifetime
{
    private PatroniCluster? cluster;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The cluster, which begins with the first test that runs.</summary>
    internal async Task<PatroniCluster> StartedAsync()
    {
        PostgresServer.SkipUnlessInstalled();
        Assert.SkipUnless(PatroniCluster.IsInstalled, "needs Patroni and etcd (apt-get install patroni etcd-server)");
        return cluster ??= await PatroniCluster.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (cluster is not null)
        {
            await cluster.DisposeAsync();
        }
    }
}
