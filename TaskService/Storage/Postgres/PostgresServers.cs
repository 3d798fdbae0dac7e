using System.Diagnostics;
using Npgsql;

namespace TaskService.Storage.Postgres;

/// <summary>Connections to the primary, whichever host that is at the time, and to a replica.</summary>
internal sealed class PostgresServers : IAsyncDisposable
{
    // A connection that broke makes its host count as gone for a second. It is looked at again before that, so that
    // one broken connection is a delay for the others, not a failure. With the last try, it is under 1.5 seconds.
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
            // The same hosts share their connections: only the one that is chosen differs. Who is to be read as someone
            // else has their own, and so have balanced reads, since changes must not go now to one and now to another
            // of two that both take them.
            var isShared = PostgresSettings.AreSame(settings.Primary, other);
            replicaHosts = isShared ? primaryHosts : Build(other, name, loggers);
            replica = replicaHosts.WithTargetSession(TargetSessionAttributes.PreferStandby);
        }
    }

    public bool HasReplica => replica is not null;

    /// <summary>Whether the server is one, which it says by itself since PostgreSQL 14.</summary>
    /// <param name="connection">That was opened for a replica, and may have got the primary instead.</param>
    public static bool IsReplica(NpgsqlConnection connection) =>
        !connection.PostgresParameters.TryGetValue("in_hot_standby", out var said) || said == "on";

    /// <summary>Opens a connection to the server that takes changes.</summary>
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

    /// <summary>Opens a connection to a replica, or to what is there when none is.</summary>
    /// <exception cref="NpgsqlException">There is none.</exception>
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
        // Whatever the role, the database or the server have set: only a warning tells of a commit without its standby.
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

    // Of many who wait, one.
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
