using System.Diagnostics;
using Npgsql;

namespace TaskService.Storage.Postgres;

/// <summary>Connection pools for the current primary among the hosts, and for replicas.</summary>
internal sealed class PostgresServers : IAsyncDisposable
{
    // After a connection error Npgsql considers the host offline for a second. It is rechecked before that, so that one
    // broken connection delays other requests and does not fail them. With the last retry, under 1.5 seconds.
    private static readonly TimeSpan OpenTimeMax = TimeSpan.FromSeconds(1.4);
    private static readonly TimeSpan RecheckPause = TimeSpan.FromMilliseconds(100);

    private const string ShowWarnings = "SET client_min_messages = warning";

    private readonly NpgsqlMultiHostDataSource primaryHosts;
    private readonly NpgsqlMultiHostDataSource? replicaHosts;
    private readonly NpgsqlDataSource primary;
    private readonly NpgsqlDataSource? replica;
    private long recheckedAt;

    public PostgresServers(PostgresSettings settings, string name, ILoggerFactory loggers)
    {
        primaryHosts = Build(settings.Primary, name, loggers);
        primary = primaryHosts.WithTargetSession(TargetSessionAttributes.Primary);
        if (settings.Replica is { } other)
        {
            // With the same hosts and settings, one pool serves both: only the chosen host differs. Another user needs
            // a pool of its own, and so do balanced reads: with two primaries at once, changes must not alternate.
            var isShared = PostgresSettings.AreSame(settings.Primary, other);
            replicaHosts = isShared ? primaryHosts : Build(other, name, loggers);
            replica = replicaHosts.WithTargetSession(TargetSessionAttributes.PreferStandby);
        }
    }

    public bool HasReplica => replica is not null;

    /// <summary>Whether the server is a replica, which it reports itself since PostgreSQL 14.</summary>
    /// <param name="connection">Opened for a replica; it may have got the primary instead.</param>
    public static bool IsReplica(NpgsqlConnection connection) =>
        !connection.PostgresParameters.TryGetValue("in_hot_standby", out var said) || said == "on";

    /// <summary>Opens a connection to the primary; retries for <see cref="OpenTimeMax"/>.</summary>
    /// <exception cref="NpgsqlException">There is none.</exception>
    public async ValueTask<NpgsqlConnection> OpenPrimaryAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await primary.OpenConnectionAsync(cancel);
            }
            catch (NpgsqlException error) when (
                PostgresErrors.IsConnectionError(error)
                && Stopwatch.GetElapsedTime(started) + RecheckPause < OpenTimeMax)
            {
                await Task.Delay(RecheckPause, cancel);
                Recheck();
            }
        }
    }

    /// <summary>Opens a connection to a replica, or to the primary when none is available.</summary>
    /// <exception cref="NpgsqlException">No server is available.</exception>
    public ValueTask<NpgsqlConnection> OpenReplicaAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return replica!.OpenConnectionAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await primaryHosts.DisposeAsync();
        if (replicaHosts is not null)
        {
            await replicaHosts.DisposeAsync();
        }
    }

    private static NpgsqlMultiHostDataSource Build(
        NpgsqlConnectionStringBuilder server, string name, ILoggerFactory loggers)
    {
        var builder = new NpgsqlDataSourceBuilder(server.ConnectionString).UseLoggerFactory(loggers);
        if (!server.ShouldSerialize("Application Name"))
        {
            builder.ConnectionStringBuilder.ApplicationName = name;
        }
        // Overrides the settings of role, database and server: only a warning reports a commit without its standby.
        builder.UsePhysicalConnectionInitializer(
            static connection =>
            {
                using var set = new NpgsqlCommand(ShowWarnings, connection);
                set.ExecuteNonQuery();
            },
            static async connection =>
            {
                await using var set = new NpgsqlCommand(ShowWarnings, connection);
                await set.ExecuteNonQueryAsync();
            });
        return builder.BuildMultiHost();
    }

    // Of many waiting requests, one rechecks.
    private void Recheck()
    {
        var last = Volatile.Read(ref recheckedAt);
        if (Stopwatch.GetElapsedTime(last) >= RecheckPause
            && Interlocked.CompareExchange(ref recheckedAt, Stopwatch.GetTimestamp(), last) == last)
        {
            primaryHosts.ClearDatabaseStates();
        }
    }
}
