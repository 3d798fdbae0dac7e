using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A cluster for the tests of a class.</summary>
public sealed class PatroniFixture : IAsyncLifetime
{
    private PatroniCluster? cluster;

    // Of a fixture that skips, the tests would fail.
    internal PatroniCluster Cluster
    {
        get
        {
            PostgresServer.SkipUnlessInstalled();
            Assert.SkipUnless(
                PatroniCluster.IsInstalled, "needs Patroni and etcd (apt-get install patroni etcd-server)");
            return cluster!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (PatroniCluster.IsInstalled)
        {
            cluster = await PatroniCluster.StartAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (cluster is not null)
        {
            await cluster.DisposeAsync();
        }
    }
}
