using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Npgsql;
using TaskService.Configuration;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Reads connection strings of Npgsql. A password without quotes can end up in a keyword or in a value, so messages
/// repeat nothing of the string but keywords of Npgsql.
/// </summary>
internal static partial class ConnectionString
{
    private const string Mask = "***";

    // All other texts are masked, such as passwords, and keywords that a later version of Npgsql adds.
    private static readonly string[] Shown =
    [
        "Host", "Database", "Username", "Application Name", "Search Path", "Passfile", "Root Certificate",
        "SSL Certificate", "SSL Key",
    ];

    // Values of these may contain text that looks like a keyword of libpq.
    private static readonly string[] FreeTexts = ["Password", "SSL Password", "Options"];

    private static readonly (string Keyword, string Decides)[] Refused =
    [
        ("Maximum Pool Size", "the setting pool-size decides"),
        ("Command Timeout", "the setting command-timeout decides"),
        ("Target Session Attributes", "the settings primary and replica decide"),
        ("Multiplexing", "the engine decides"),
        ("Pooling", "the engine decides"),
    ];

    /// <summary>Reads a setting and reports all its problems.</summary>
    /// <param name="section">The section of the setting.</param>
    /// <param name="key">Its name.</param>
    /// <param name="poolSize">The setting <c>pool-size</c>.</param>
    /// <param name="isRequired">Whether it must be there.</param>
    /// <returns>Null when it is missing or invalid.</returns>
    public static NpgsqlConnectionStringBuilder? Read(
        ConfigSection section, string key, int poolSize, bool isRequired)
    {
        var text = section.Text(key, "", Masked);
        if (text.Length == 0)
        {
            if (isRequired)
            {
                section.Problem(key, "must be a connection string such as \"Host=localhost;Username=me\"");
            }
            return null;
        }
        var server = Parse(text, out var problem);
        if (server is not null)
        {
            foreach (var (keyword, decides) in Refused.Where(refused => server.ShouldSerialize(refused.Keyword)))
            {
                section.Problem(key, $"must not have {keyword}, which {decides}");
            }
            problem = server.MinPoolSize <= poolSize ? null
                : $"must not have a Minimum Pool Size over the setting pool-size, which is {poolSize}";
        }
        if (problem is not null)
        {
            section.Problem(key, problem);
            return null;
        }
        return server;
    }

    /// <summary>A connection string for display: values that are or may be secret are masked.</summary>
    public static string Masked(string text)
    {
        if (Parse(text, out _) is not { } server)
        {
            // It cannot be parsed, so the password cannot be located.
            return Mask;
        }
        var shown = new DbConnectionStringBuilder();
        foreach (var keyword in server.Keys)
        {
            shown[keyword] = server[keyword] is string && !Shown.Contains(keyword) ? Mask : server[keyword];
        }
        return shown.ConnectionString;
    }

    /// <summary>Host and port of each server, such as <c>db1:5432</c> or <c>[::1]:5432</c>.</summary>
    public static IEnumerable<string> Hosts(NpgsqlConnectionStringBuilder server) =>
        server.Host!.Split(',', StringSplitOptions.TrimEntries).Select(host => Address(host, server.Port)!);

    private static NpgsqlConnectionStringBuilder? Parse(string text, out string? problem)
    {
        var server = new NpgsqlConnectionStringBuilder();
        problem = Url().IsMatch(text)
            ? "must be keywords and values such as \"Host=localhost;Username=me;Database=tasks\", not a URL"
            : ProblemOf(text, server);
        return problem is null ? server : null;
    }

    private static string? ProblemOf(string text, NpgsqlConnectionStringBuilder server)
    {
        DbConnectionStringBuilder pairs;
        try
        {
            pairs = new DbConnectionStringBuilder { ConnectionString = text };
        }
        catch (ArgumentException)
        {
            return "must be keywords and values such as \"Host=localhost;Username=me\","
                + " with quotes around a value that has a ; in it";
        }
        var place = 0;
        foreach (string keyword in pairs.Keys)
        {
            place++;
            if (!server.ContainsKey(keyword))
            {
                return $"the keyword in place {place} is none of Npgsql, such as Host, Port, Database or Username;"
                    + " a value that has a ; in it needs quotes";
            }
            var value = (string)pairs[keyword];
            try
            {
                server[keyword] = value;
            }
            catch (ArgumentException)
            {
                return $"the value of {keyword} is none that Npgsql takes";
            }
            if (LibpqKeyword().IsMatch(value) && (pairs.Count == 1 || !IsFreeText(keyword, value)))
            {
                return "must be keywords and values with a ; between them, such as \"Host=localhost;Username=me\","
                    + " not with blanks as libpq has them";
            }
        }
        return HostProblem(server);
    }

    // Npgsql normalizes the spellings of a keyword.
    private static bool IsFreeText(string keyword, string value) =>
        new NpgsqlConnectionStringBuilder { [keyword] = value } is var one && FreeTexts.Any(one.ShouldSerialize);

    private static string? HostProblem(NpgsqlConnectionStringBuilder server) =>
        string.IsNullOrWhiteSpace(server.Host) ? "must have a Host"
        : server.Host.Split(',', StringSplitOptions.TrimEntries).All(host => Address(host, server.Port) is not null)
            ? null
            : "must have a Host of names and addresses, each with a port or without, such as db1, db2:5433 or"
                + " [::1]:5434";

    /// <returns>Null when it is no name, address or directory of a socket, with or without a port.</returns>
    private static string? Address(string host, int port)
    {
        // As in Npgsql: an IPv6 address has no port unless it is in brackets.
        if (host.Count(c => c == ':') > 1 && !host.StartsWith('['))
        {
            return WithPort(host, port);
        }
        if (Socket().IsMatch(host))
        {
            return string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
        }
        var match = HostAndPort().Match(host);
        if (!match.Success)
        {
            return null;
        }
        if (match.Groups["port"].Success)
        {
            port = int.Parse(match.Groups["port"].ValueSpan, CultureInfo.InvariantCulture);
        }
        return port > ushort.MaxValue ? null
            : match.Groups["v6"].Success ? WithPort(match.Groups["v6"].Value, port)
            : string.Create(CultureInfo.InvariantCulture, $"{match.Groups["name"].Value}:{port}");
    }

    private static string? WithPort(string text, int port) =>
        IPAddress.TryParse(text, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6
            ? string.Create(CultureInfo.InvariantCulture, $"[{address}]:{port}") : null;

    [GeneratedRegex(@"\A\s*[\w.:+-]+://")]
    private static partial Regex Url();

    [GeneratedRegex(
        @"\s(host|hostaddr|port|dbname|user|password|passfile|sslmode|options|connect_timeout|application_name"
        + @"|target_session_attrs)\s*=",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex LibpqKeyword();

    [GeneratedRegex(@"\A(\[(?<v6>[^\[\]]+)\]|(?<name>[\w.-]+))(:(?<port>[0-9]{1,5}))?\z")]
    private static partial Regex HostAndPort();

    // A directory of Unix sockets, or an abstract one.
    [GeneratedRegex(@"\A([/@]|[A-Za-z]:\\)[^@=]*\z")]
    private static partial Regex Socket();
}
