using System.Security.Cryptography;
using System.Text;

namespace TaskService.Configuration;

/// <summary>The endpoints for operators: where they are, and which secret opens which of them.</summary>
/// <param name="BasePath">In front of each path; empty, or with a slash before it and none behind.</param>
/// <param name="Port">The only port of these endpoints, which the others do not have; null for that of all.</param>
/// <param name="Secrets">Each opens what it names.</param>
/// <param name="IsSecretInQuery">Whether a secret may also be a parameter of the query.</param>
/// <param name="HealthChecks">Beside those of the storage.</param>
internal sealed record OperationsSettings(
    string BasePath,
    int? Port,
    IReadOnlyList<OperationsSecret> Secrets,
    bool IsSecretInQuery,
    IReadOnlyList<HealthCheckSettings> HealthChecks)
{
    private const int SecretCharactersMin = 16;
    private const string Section = "operations";
    private const string General = "secret";

    // The names that c2cwsgiutils gives to the variables of the environment.
    private static readonly (string Variable, string Setting)[] Variables =
    [
        ("C2C_BASE_PATH", "base-path"),
        ("LOG_VIEW_SECRET", "log-view-secret"),
        ("SQL_PROFILER_SECRET", "sql-profiler-secret"),
        ("DEBUG_VIEW_SECRET", "debug-view-secret"),
        ("STATS_VIEW", "stats-secret"),
    ];

    private static readonly (string Setting, OperationsFeatures Opens)[] Settings =
    [
        (General, OperationsFeatures.All),
        ("log-view-secret", OperationsFeatures.LogLevels),
        ("sql-profiler-secret", OperationsFeatures.SqlProfiler),
        ("debug-view-secret", OperationsFeatures.Debug),
        ("stats-secret", OperationsFeatures.Statistics),
    ];

    /// <summary>Names of the meters that are shown; each includes all names below it.</summary>
    public IReadOnlyList<string> Meters { get; init; } = [];

    /// <summary>Whether failures are shown with their stack traces.</summary>
    public bool HasTraces { get; init; }

    /// <summary>What some secret opens.</summary>
    public OperationsFeatures Enabled { get; } =
        Secrets.Aggregate(OperationsFeatures.None, (all, secret) => all | secret.Opens);

    /// <summary>
    /// Writes the variables over what the file says. Those that name a setting of the service rank above.
    /// </summary>
    public static void ApplyEnvironment(
        ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        foreach (var (variable, setting) in Variables)
        {
            if (environment.TryGetValue(variable, out var value))
            {
                EnvironmentConfig.Set(root, [Section, setting], value, variable, problems);
            }
        }
    }

    /// <param name="root">Has the section.</param>
    /// <param name="ports">Of the service, on which these endpoints are when they have no port of their own.</param>
    /// <param name="tables">Of the entities, which checks of health may name.</param>
    /// <param name="debug">Whether failures are shown with their stack traces.</param>
    public static OperationsSettings Read(
        ConfigSection root, IEnumerable<int> ports, IReadOnlyCollection<string> tables, bool debug)
    {
        var section = root.Section(Section);
        var port = ReadPort(section, ports);
        var off = OperationsFeatures.None;
        var secrets = new List<OperationsSecret>();
        foreach (var (setting, opens) in Settings)
        {
            var text = section.Text(setting, "", ConfigProblems.Masked);
            if (text is "0" || ConfigSection.ParseFlag(text) is false)
            {
                off |= opens;
            }
            else if (text.Length > 0 && text.Length < SecretCharactersMin)
            {
                section.Problem(
                    setting,
                    $"must have at least {SecretCharactersMin} characters; empty, 0, false, no and off switch it off");
            }
            else if (text.Length > 0)
            {
                secrets.Add(new OperationsSecret(SHA256.HashData(Encoding.UTF8.GetBytes(text)), opens));
            }
        }
        return new OperationsSettings(
            ReadBasePath(section),
            port,
            [.. secrets.Select(secret => secret with { Opens = secret.Opens & ~off })],
            section.Flag("secret-in-query", false),
            HealthCheckSettings.Read(section.Section("health"), tables))
        {
            Meters = section.Texts("meters", TelemetrySection.Meters),
            HasTraces = debug,
        };
    }

    private static string ReadBasePath(ConfigSection section)
    {
        var path = section.Text("base-path", "/ops");
        if (path.Length > 0 && (path[0] != '/' || path[^1] == '/' || path.Contains("//", StringComparison.Ordinal)
            || !path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.' or '~')))
        {
            section.Problem(
                "base-path",
                "must be empty or a path such as /ops, of letters, digits, - . _ ~ and /, without a slash at its end, "
                + $"not \"{path}\"");
        }
        return path;
    }

    private static int? ReadPort(ConfigSection section, IEnumerable<int> ports)
    {
        const string key = "port";
        section.Allow(key);
        if (section.Find(key) is null)
        {
            return null;
        }
        var port = (int)section.Integer(key, 1, 1, 65_535);
        if (ports.Contains(port))
        {
            section.Problem(key, $"{port} is that of the service; leave it out to have these endpoints there");
        }
        return port;
    }
}

/// <param name="Hash">Its SHA-256.</param>
/// <param name="Opens">What it opens.</param>
internal sealed record OperationsSecret(byte[] Hash, OperationsFeatures Opens);

/// <summary>What a secret can open.</summary>
[Flags]
internal enum OperationsFeatures
{
    None = 0,

    /// <summary>The log levels.</summary>
    LogLevels = 1,

    /// <summary>The plans of statements.</summary>
    SqlProfiler = 2,

    /// <summary>Stacks, memory, and how the service meets errors.</summary>
    Debug = 4,

    /// <summary>Statistics, metrics, health with its reasons, and versions: what the page shows.</summary>
    Statistics = 8,

    All = LogLevels | SqlProfiler | Debug | Statistics,
}
