using System.Text.RegularExpressions;
using Npgsql;
using TaskService.Configuration;

namespace TaskService.Storage.Postgres;

/// <summary>How PostgreSQL is reached, and who reads where.</summary>
/// <param name="Primary">A connection string; of several hosts the one that takes changes is found.</param>
/// <param name="Replica">Where reads go; null when there is no other server for them.</param>
/// <param name="Routes">Which requests read from a replica.</param>
/// <param name="ReadYourWritesWaitMax">How long a read waits for a replica to have what its client has written.</param>
/// <param name="RequestIdInName">Whether <c>application_name</c> carries the id of the request.</param>
internal sealed record PostgresSettings(
    NpgsqlConnectionStringBuilder Primary,
    NpgsqlConnectionStringBuilder? Replica,
    ReadRoutes Routes,
    TimeSpan ReadYourWritesWaitMax,
    bool RequestIdInName)
{
    private const string LoadBalanceHosts = "Load Balance Hosts";

    public static PostgresSettings? Read(ConfigSection section)
    {
        var pool = (int)section.Integer("pool-size", 16, 1, 1_000);
        var timeout = (int)section.Integer("command-timeout", 5, 1, 3_600);
        var primary = Server(section, "primary", pool, timeout, isRequired: true);
        var replica = Server(section, "replica", pool, timeout, isRequired: false);
        var wait = TimeSpan.FromMilliseconds(section.Integer("read-your-writes-wait-max-ms", 50, 0, 60_000));
        var routes = new ReadRoutes(Patterns(section, "force-primary"), Patterns(section, "force-replica"));
        var hasId = section.Flag("request-id-in-application-name", false);
        if (primary is null)
        {
            return null;
        }
        // One server has one pool, and there is nothing to choose from.
        var isSame = replica is not null && IsOneServer(primary) && AreSame(primary, replica);
        if (replica is not null && !AreSameHosts(primary, replica) && !replica.ShouldSerialize(LoadBalanceHosts))
        {
            // Hosts that are there to be read share the reads.
            replica.LoadBalanceHosts = true;
        }
        return new PostgresSettings(primary, isSame ? null : replica, routes, wait, hasId);
    }

    /// <summary>Whether two connection strings name the same servers, in whatever order.</summary>
    public static bool AreSameHosts(NpgsqlConnectionStringBuilder one, NpgsqlConnectionStringBuilder other) =>
        ConnectionString.Hosts(one).Order().SequenceEqual(ConnectionString.Hosts(other).Order());

    /// <summary>Whether two connection strings say the same, but for the order of their hosts.</summary>
    public static bool AreSame(NpgsqlConnectionStringBuilder one, NpgsqlConnectionStringBuilder other) =>
        AreSameHosts(one, other) && WithoutHosts(one) == WithoutHosts(other);

    public static bool IsOneServer(NpgsqlConnectionStringBuilder server) =>
        !server.Host!.Contains(',', StringComparison.Ordinal);

    private static string WithoutHosts(NpgsqlConnectionStringBuilder server) =>
        new NpgsqlConnectionStringBuilder(server.ConnectionString) { Host = "", Port = 1 }.ConnectionString;

    private static NpgsqlConnectionStringBuilder? Server(
        ConfigSection section, string key, int pool, int timeout, bool isRequired)
    {
        if (ConnectionString.Read(section, key, pool, isRequired) is not { } server)
        {
            return null;
        }
        (server.MaxPoolSize, server.CommandTimeout) = (pool, timeout);
        // How soon a server that went away, or another one that took over, is noticed.
        Default("Timeout", 2);
        Default("Host Recheck Seconds", 1);
        Default("Cancellation Timeout", 500);
        // Statements are prepared once a connection, and nothing is left on one that would have to be reset.
        Default("Max Auto Prepare", 50);
        Default("Auto Prepare Min Usages", 2);
        Default("No Reset On Close", true);
        try
        {
            // What does not go together shows when it is put to use.
            using (new NpgsqlDataSourceBuilder(server.ConnectionString).BuildMultiHost())
            {
            }
            return server;
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            section.Problem(key, $"is not a connection string that Npgsql takes: {error.Message}");
            return null;
        }

        void Default(string name, object value)
        {
            if (!server.ShouldSerialize(name))
            {
                server[name] = value;
            }
        }
    }

    private static List<Regex> Patterns(ConfigSection section, string key)
    {
        var patterns = new List<Regex>();
        foreach (var text in section.Texts(key))
        {
            try
            {
                // In time that grows with the path alone, which clients choose.
                patterns.Add(new Regex(
                    $@"\A(?:{text})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant));
            }
            catch (Exception error) when (error is ArgumentException or NotSupportedException)
            {
                section.Problem(key, $"must hold regular expressions such as \"GET /tasks/.*\": {error.Message}");
            }
        }
        return patterns;
    }
}
