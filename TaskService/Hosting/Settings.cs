using System.Collections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using TaskService.Configuration;
using TaskService.Storage;
using TaskService.Telemetry;
using TaskService.Telemetry.Logging;

namespace TaskService.Hosting;

/// <summary>
/// All settings, typed, with their defaults. Each part is handed to those who need it by Program alone.
/// </summary>
/// <param name="CreateEngine">Makes the storage engine that was chosen; opens nothing.</param>
/// <param name="Source">All of it, for <c>builder.Configuration</c>.</param>
/// <param name="Others">The sections of others, which were read as well.</param>
/// <param name="Debug">Whether error bodies carry <c>trace</c>.</param>
/// <param name="Environment">The name of the hosting environment.</param>
/// <param name="Warnings">What of the environment was ignored, one line each.</param>
internal sealed record Settings(
    ServiceSettings Service,
    HttpSettings Http,
    LogSettings Logging,
    TelemetrySettings Telemetry,
    OperationsSettings Operations,
    Func<ILoggerFactory, IEngine> CreateEngine,
    ConfigSource Source,
    OtherSections Others,
    bool Debug,
    string Environment,
    IReadOnlyList<string> Warnings)
{
    public const string DefaultFile = "configs/todoList-local.yaml";

    /// <summary>Reads the file, then the environment and the command line over it. Opens nothing else.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="addSections">Reads the sections of others; null when there are none.</param>
    /// <exception cref="ConfigException">All problems at once.</exception>
    public static (Settings Settings, ConfigSection Source) Load(
        CommandLineOptions options, Func<OtherSections, OtherSections>? addSections = null)
    {
        var variables = new Dictionary<string, string>();
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
        {
            variables.Add((string)variable.Key, (string?)variable.Value ?? "");
        }
        var file = options.ConfigFile ?? FindDefaultFile();
        return Read(file, ConfigFile.ReadText(file), variables, options, addSections);
    }

    /// <summary>As <see cref="Load"/>, while the service runs.</summary>
    public static Settings Reload(CommandLineOptions options, Func<OtherSections, OtherSections>? addSections = null)
    {
        var file = options.ConfigFile ?? FindDefaultFile();
        // To open a pipe would wait for somebody to write it.
        if (new FileInfo(file) is { Exists: true, Length: 0 })
        {
            throw new ConfigException([$"{file}: is empty, or a pipe, which can be read only once"]);
        }
        return Load(options, addSections).Settings;
    }

    /// <summary>As <see cref="Load"/>, from a text.</summary>
    public static (Settings Settings, ConfigSection Source) Read(
        string file,
        string text,
        IReadOnlyDictionary<string, string> environment,
        CommandLineOptions options,
        Func<OtherSections, OtherSections>? addSections = null)
    {
        var problems = new ConfigProblems();
        var map = YamlConfig.Read(file, text, environment, problems);
        AuthenticationSettings.Expand(map);
        EnvironmentConfig.Apply(map, environment, problems);
        ApplyCommandLine(map, options, problems);
        AuthenticationSettings.Expand(map);
        ListenConfig.Settle(map);

        var root = new ConfigSection("", map, file, problems);
        var service = ServiceSettings.Read(root.Section("service"));
        var http = HttpSettings.Read(
            root.Section("http"), hasSchemes: root.Find(root.KeyOf("Authentication")) is not null);
        var logging = LoggingSettings.Read(root.Section("logging"), options.Debug);
        var telemetry = TelemetrySection.Read(root.Section("telemetry"), service.Name, logging);
        var operations = OperationsSettings.Read(
            root,
            service.Addresses.Select(address => address.Port),
            [.. Entities.All.Select(entity => entity.Table)],
            options.Debug);
        if (operations.Enabled.HasFlag(OperationsFeatures.Statistics))
        {
            telemetry = telemetry with { Statistics = true };
        }
        if (operations.Port is { } port)
        {
            service = service with { Addresses = [.. service.Addresses, service.Addresses[0] with { Port = port }] };
        }
        var createEngine = StorageEngines.Read(root, "task-db");
        var others = new OtherSections(root);
        // A start without this section does not load the type any sooner.
        var configureKestrel = () => others.Configure<KestrelServerOptions>("Kestrel");
        root.Allow("Kestrel");
        if (root.Find(root.KeyOf("Kestrel")) is not null)
        {
            configureKestrel();
        }
        addSections?.Invoke(others);
        var settings = new Settings(
            service,
            http,
            logging,
            telemetry,
            operations,
            loggers => createEngine!(new StoreSetup(loggers, service.Name, IsMigrateOnly: options.MigrateOnly)),
            new ConfigSource(map),
            others,
            options.Debug,
            options.Environment ?? Environments.Production,
            problems.Warnings);
        root.ReportUnknown();
        return problems.Lines.Count == 0 ? (settings, root) : throw new ConfigException(problems.Lines);
    }

    private static void ApplyCommandLine(ConfigMap map, CommandLineOptions options, ConfigProblems problems)
    {
        foreach (var (path, value) in options.Settings ?? new Dictionary<string, string>())
        {
            EnvironmentConfig.Set(
                map, path.Split(':'), where => new ConfigScalar(value, where), $"--{path}", problems);
        }
        if (options.Port is { } port)
        {
            EnvironmentConfig.Below(map, "service", "--port")?.Members["port"] = new ConfigScalar($"{port}", "--port");
        }
    }

    private static string FindDefaultFile() =>
        File.Exists(DefaultFile) ? DefaultFile : Path.Combine(AppContext.BaseDirectory, DefaultFile);
}
