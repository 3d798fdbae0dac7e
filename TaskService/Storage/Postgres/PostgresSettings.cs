using System.Text.RegularExpressions;
using Npgsql;
using TaskService.Configuration;

namespace TaskService.Storage.Postgres;

/// <summary>Connection settings of PostgreSQL, and the routing of reads.</summary>
/// <param name="Primary">A connection string; of several hosts the current primary is found.</param>
/// <param name="Replica">Connection string for reads; null when there is no other server for them.</param>
/// <param name="Routes">Which requests read from a replica.</param>
/// <param name="ReadYourWritesWaitMax">Timeout of a read that waits for a replica to have its client's writes.</param>
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
        // With one server for both, one pool is enough, and there is no routing.
        var isSame = replica is not null && IsOneServer(primary) && AreSame(primary, replica);
        if (replica is not null && !AreSameHosts(primary, replica) && !replica.ShouldSerialize(LoadBalanceHosts))
        {
            // Hosts that are only in the replica setting share the reads.
            replica.LoadBalanceHosts = true;
        }
        return new PostgresSettings(primary, isSame ? null : replica, routes, wait, hasId);
    }

    /// <summary>Whether two connection strings name the same servers, in whatever order.</summary>
    public static bool AreSameHosts(NpgsqlConnectionStringBuilder one, NpgsqlConnectionStringBuilder other) =>
        ConnectionString.Hosts(one).Order().SequenceEqual(ConnectionString.Hosts(other).Order());

    /// <summary>Whether two connection strings are equal, but for the order of their hosts.</summary>
    public static bool AreSame(NpgsqlConnectionStringBuilder one, NpgsqlConnectionStringBuilder other) =>
        AreSameHosts(one, other) && WithoutHosts(one) == WithoutHosts(other);

    public static bool IsOneServer(NpgsqlConnectionStringBuilder server) =>
        !server.Host!.Contains(',', StringComparison.Ordinal);

    /// <summary>For a connection beside the pools.</summary>
    /// <param name="server">Of one or more hosts.</param>
    /// <param name="target">Which of several hosts, such as <c>primary</c>.</param>
    public static NpgsqlConnectionStringBuilder Unpooled(NpgsqlConnectionStringBuilder server, string target)
    {
        var own = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Pooling = false };
        if (!IsOneServer(own))
        {
            own.TargetSessionAttributes = target;
        }
        return own;
    }

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
        // Timeouts for the detection of a lost server and of a failover.
        Default("Timeout", 2);
        Default("Host Recheck Seconds", 1);
        Default("Cancellation Timeout", 500);
        // Statements are prepared once per connection, and no session state is left that would need a reset.
        Default("Max Auto Prepare", 50);
        Default("Auto Prepare Min Usages", 2);
        Default("No Reset On Close", true);
        try
        {
            // Npgsql validates combinations of settings when it builds the data source.
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
                // Non-backtracking: linear time in the path, which clients choose.
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
