using System.CommandLine;
using System.CommandLine.Parsing;
using TaskService.Telemetry.Exporters.Statsd;

namespace TaskService.Hosting;

/// <summary>The options of the command <c>stats-db</c>.</summary>
/// <param name="ConfigFile">Of the service whose database it is; null for the default.</param>
/// <param name="Settings">As in <see cref="CommandLineOptions"/>.</param>
/// <param name="Database">A connection string, or <c>sqlite:FILE</c>; null for that of the configuration.</param>
/// <param name="Schemas">Whose tables are counted; empty for the default schema.</param>
/// <param name="Extra">Statements, each with rows of a metric and its value.</param>
/// <param name="StatsdAddress">Null when nothing is sent there.</param>
/// <param name="StatsdPrefix">Of the names there, without a dot at the end.</param>
/// <param name="PushGateway">Null when nothing is sent there.</param>
/// <param name="Instance">The label <c>instance</c> at the push gateway; empty for none.</param>
internal sealed record StatsDbOptions(
    string? ConfigFile,
    IReadOnlyDictionary<string, string> Settings,
    string? Database,
    IReadOnlyList<string> Schemas,
    IReadOnlyList<string> Extra,
    string? StatsdAddress,
    string StatsdPrefix,
    Uri? PushGateway,
    string Instance)
{
    /// <param name="settings">As in <see cref="CommandLineOptions"/>.</param>
    /// <param name="run">Does it, and returns the exit code.</param>
    public static Command Command(
        IReadOnlyDictionary<string, string> settings, Func<StatsDbOptions, Task<int>> run)
    {
        var config = CommandLine.ConfigOption();
        var database = new Option<string?>("--db")
        {
            Description = "Instead of that of the configuration: a connection string of Npgsql, or sqlite:FILE",
            HelpName = "CONNECTION",
        };
        var schemas = Many("--schema", "SCHEMA", "A schema whose tables are counted, or several [default: the first of "
            + "the search path]");
        var extra = Many("--extra", "SQL", "A query whose rows are a metric and its value");
        var address = new Option<string?>("--statsd-address")
        {
            Description = "Send gauges to statsd, by UDP",
            HelpName = "HOST:PORT",
        };
        address.Validators.Add(CheckAddress);
        var prefix = new Option<string>("--statsd-prefix")
        {
            Description = "In front of the names there",
            HelpName = "PREFIX",
            DefaultValueFactory = _ => "c2c",
        };
        var gateway = new Option<string?>("--push-gateway-url")
        {
            Description = "Send gauges to a push gateway of Prometheus",
            HelpName = "URL",
        };
        gateway.Validators.Add(CheckUrl);
        var instance = new Option<string>("--instance")
        {
            Description = "The label instance there",
            HelpName = "NAME",
            DefaultValueFactory = _ => "",
        };
        var command = new Command(
            "stats-db", "Count the rows of each table, send or write the numbers, and exit.")
        {
            config, database, schemas, extra, address, prefix, gateway, instance,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(config) is not null && result.GetResult(database) is not null)
            {
                result.AddError("--config and --db are two databases; choose one");
            }
        });
        command.SetAction((result, _) => run(new StatsDbOptions(
            result.GetValue(config),
            settings,
            result.GetValue(database),
            result.GetValue(schemas)!,
            result.GetValue(extra)!,
            result.GetValue(address),
            result.GetValue(prefix)!,
            result.GetValue(gateway) is { } url ? new Uri(url) : null,
            result.GetValue(instance)!)));
        return command;
    }

    private static Option<string[]> Many(string name, string helpName, string description) => new(name)
    {
        Description = description,
        HelpName = helpName,
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private static void CheckAddress(OptionResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (!StatsdSettings.TryParse(text, out _, out _, out var problem))
        {
            result.AddError($"--statsd-address must be a host, or a host and a port: {problem}");
        }
    }

    private static void CheckUrl(OptionResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")
            || url.Query.Length > 0 || url.UserInfo.Length > 0)
        {
            result.AddError(
                "--push-gateway-url must be a URL such as http://localhost:9091, without a user and a query");
        }
    }
}
