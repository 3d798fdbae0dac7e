namespace TaskService.Configuration;

/// <summary>
/// What the variables of OpenTelemetry say of the configuration
/// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). They go before the file, and
/// variables of our own before them.
/// </summary>
internal static class OpenTelemetryConfig
{
    public const string ServiceName = "OTEL_SERVICE_NAME";
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string OutletType = "otlp";

    // Each is a setting of every outlet of the type.
    private static readonly (string Variable, string[] Setting)[] OfOutlets =
    [
        (Endpoint, ["endpoint"]),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", ["protocol"]),
        ("OTEL_EXPORTER_OTLP_HEADERS", ["headers"]),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", ["attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ["traces", "endpoint"]),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", ["traces", "protocol"]),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ["traces", "headers"]),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ["traces", "attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", ["metrics", "endpoint"]),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", ["metrics", "protocol"]),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ["metrics", "headers"]),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", ["metrics", "attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["temporality"]),
        ("OTEL_METRIC_EXPORT_INTERVAL", ["meters-interval-ms"]),
    ];

    /// <summary>Writes the variables into <paramref name="root"/>.</summary>
    public static void Apply(ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        ApplySampler(root, environment, problems);
        var outlets = Outlets(root);
        if (outlets.Count == 0 && Given(environment, Endpoint) is not null)
        {
            // Who names a collector means that it gets something.
            EnvironmentConfig.Set(root, ["telemetry", "outlets", OutletType, "type"], OutletType, Endpoint, problems);
            outlets = Outlets(root);
        }
        if (bool.TryParse(Given(environment, "OTEL_SDK_DISABLED"), out var isDisabled) && isDisabled)
        {
            outlets.ForEach(outlet => OutletsOf(root)?.Members.Remove(outlet));
            return;
        }
        foreach (var outlet in outlets)
        {
            foreach (var (variable, setting) in OfOutlets)
            {
                Apply(root, ["telemetry", "outlets", outlet, .. setting], variable, environment, problems);
            }
        }
    }

    private static void ApplySampler(
        ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        const string variable = "OTEL_TRACES_SAMPLER";
        const string prefix = "parentbased_";
        var sampler = Given(environment, variable);
        // All are parent-based here: what a caller has decided is obeyed.
        var name = sampler?.StartsWith(prefix, StringComparison.Ordinal) == true ? sampler[prefix.Length..] : sampler;
        var probability = name switch
        {
            null => null,
            "always_on" => "1",
            "always_off" => "0",
            "traceidratio" => Given(environment, "OTEL_TRACES_SAMPLER_ARG") ?? "1",
            _ => "",
        };
        if (probability is "")
        {
            problems.Add(
                $"environment {variable}",
                "telemetry.trace-probability",
                $"must be always_on, always_off or traceidratio, or one of these after {prefix}, not \"{sampler}\"");
        }
        else if (probability is not null && !IsOurs(root, ["telemetry", "trace-probability"]))
        {
            EnvironmentConfig.Set(root, ["telemetry", "trace-probability"], probability, variable, problems);
        }
    }

    private static void Apply(
        ConfigMap root,
        string[] path,
        string variable,
        IReadOnlyDictionary<string, string> environment,
        ConfigProblems problems)
    {
        if (Given(environment, variable) is { } value && !IsOurs(root, path))
        {
            EnvironmentConfig.Set(root, path, value, variable, problems);
        }
    }

    // An empty variable counts as none: section "Parsing empty value".
    private static string? Given(IReadOnlyDictionary<string, string> environment, string variable) =>
        environment.TryGetValue(variable, out var value) && value.Length > 0 ? value : null;

    private static bool IsOurs(ConfigMap root, string[] path)
    {
        ConfigNode? node = root;
        foreach (var name in path)
        {
            node = (node as ConfigMap)?.Members.GetValueOrDefault(name);
        }
        return node?.Where.StartsWith($"environment {EnvironmentConfig.Prefix}", StringComparison.Ordinal) == true;
    }

    private static ConfigMap? OutletsOf(ConfigMap root) =>
        (root.Members.GetValueOrDefault("telemetry") as ConfigMap)?.Members.GetValueOrDefault("outlets") as ConfigMap;

    private static List<string> Outlets(ConfigMap root) =>
    [
        .. (OutletsOf(root)?.Members ?? []).Where(outlet =>
            outlet.Value is ConfigMap map && map.Members.GetValueOrDefault("type") is ConfigScalar { Text: OutletType })
            .Select(outlet => outlet.Key),
    ];
}
