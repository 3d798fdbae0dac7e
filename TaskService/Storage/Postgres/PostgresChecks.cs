using System.Data.Common;
using Npgsql;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Checks of each server by itself, over connections of their own: those of requests go to whichever host is there.
/// </summary>
/// <param name="settings">The servers.</param>
/// <param name="serviceName">Sent as <c>application_name</c>.</param>
internal sealed class PostgresChecks(PostgresSettings settings, string serviceName)
{
    /// <summary>The schema of the primary; each replica and its schema.</summary>
    public IReadOnlyList<StorageCheck> All { get; } = [.. ChecksOf(settings, serviceName)];

    private static IEnumerable<StorageCheck> ChecksOf(PostgresSettings settings, string serviceName)
    {
        yield return new("migrations", 2, Check(settings.Primary, isMigrated: true));
        foreach (var replica in Replicas(settings))
        {
            var name = $"replica_{ConnectionString.Hosts(replica).Single()}";
            yield return new($"storage_{name}", 1, Check(replica, isMigrated: false));
            yield return new($"migrations_{name}", 2, Check(replica, isMigrated: true));
        }

        Func<CancellationToken, Task> Check(NpgsqlConnectionStringBuilder server, bool isMigrated) =>
            cancel => CheckAsync(server, serviceName, isMigrated, cancel);
    }

    /// <summary>One a host; none when reads have the only server that there is.</summary>
    private static IEnumerable<NpgsqlConnectionStringBuilder> Replicas(PostgresSettings settings)
    {
        if (settings.Replica is not { } all
            || ConnectionString.Hosts(all).SequenceEqual(ConnectionString.Hosts(settings.Primary).Take(1)))
        {
            return [];
        }
        return ConnectionString.Hosts(all).Zip(all.Host!.Split(',', StringSplitOptions.TrimEntries)).Distinct()
            .Select(host => new NpgsqlConnectionStringBuilder(all.ConnectionString) { Host = host.Second });
    }

    /// <param name="server">One host, or the primary among several.</param>
    /// <param name="serviceName">Sent as <c>application_name</c>.</param>
    /// <param name="isMigrated">Whether the schema is looked at as well.</param>
    /// <param name="cancel">Ends the check.</param>
    private static async Task CheckAsync(
        NpgsqlConnectionStringBuilder server, string serviceName, bool isMigrated, CancellationToken cancel)
    {
        var own = PostgresSettings.Unpooled(server, "primary");
        own.ApplicationName ??= serviceName;
        try
        {
            await using var connection = new NpgsqlConnection(own.ConnectionString);
            await connection.OpenAsync(cancel);
            if (isMigrated)
            {
                await Migrations.Embedded("postgres").RequireCurrentAsync(connection);
            }
        }
        catch (Exception error) when (error is DbException or TimeoutException or IOException)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, PostgresErrors.Reason(error), error);
        }
    }
}
