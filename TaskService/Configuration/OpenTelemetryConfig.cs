namespace TaskService.Configuration;

/// <summary>
/// What the variables of OpenTelemetry say of the configuration
/// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). They go before the file, and
/// variables of our own before them. As it says, a number or a name that cannot be used is ignored with a warning.
/// </summary>
internal static class OpenTelemetryConfig
{
    private const string ServiceName = "OTEL_SERVICE_NAME";
    private const string ResourceAttributes = "OTEL_RESOURCE_ATTRIBUTES";
    private const string Disabled = "OTEL_SDK_DISABLED";
    private const string Sampler = "OTEL_TRACES_SAMPLER";
    private const string SamplerArgument = "OTEL_TRACES_SAMPLER_ARG";
    private const string RatioSampler = "traceidratio";
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string ExporterType = "otlp";

    // Each is a setting of every exporter of the type.
    private static readonly (string Variable, string[] Setting)[] OfExporters =
    [
        (Endpoint, ["endpoint"]),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", ["protocol"]),
        ("OTEL_EXPORTER_OTLP_HEADERS", ["headers"]),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", ["attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", ["compression"]),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ["traces", "endpoint"]),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", ["traces", "protocol"]),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ["traces", "headers"]),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ["traces", "attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", ["traces", "compression"]),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", ["metrics", "endpoint"]),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", ["metrics", "protocol"]),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ["metrics", "headers"]),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", ["metrics", "attempt-time-max-ms"]),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", ["metrics", "compression"]),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ["temporality"]),
        ("OTEL_METRIC_EXPORT_INTERVAL", ["meters-interval-ms"]),
    ];

    private static readonly (string Name, string Probability)[] Samplers =
        [("always_on", "1"), ("always_off", "0"), (RatioSampler, "")];

    /// <summary>Writes the variables into <paramref name="root"/>.</summary>
    public static void Apply(ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        ApplySampler(root, environment, problems);
        var exporters = Exporters(root);
        if (exporters.Count == 0 && Given(environment, Endpoint) is not null)
        {
            // Who names a collector means that it gets something.
            EnvironmentConfig.Set(
                root, ["telemetry", "exporters", ExporterType, "type"], ExporterType, Endpoint, problems);
            exporters = Exporters(root);
        }
        if (IsDisabled(environment, problems))
        {
            exporters.ForEach(exporter => ExportersOf(root)?.Members.Remove(exporter));
            return;
        }
        foreach (var exporter in exporters)
        {
            foreach (var (variable, setting) in OfExporters)
            {
                if (Given(environment, variable) is { } value)
                {
                    Apply(root, ["telemetry", "exporters", exporter, .. setting], value, variable, problems);
                }
            }
        }
    }

    /// <summary>Writes the name of the service, which all of the service has.</summary>
    public static void ApplyServiceName(
        ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        var (name, variable) = (Given(environment, ServiceName), ServiceName);
        if (name is null)
        {
            (name, variable) = (ServiceNameOf(environment, problems), ResourceAttributes);
        }
        if (name is not null)
        {
            EnvironmentConfig.Set(root, ["service", "name"], name, variable, problems);
        }
    }

    // https://opentelemetry.io/docs/specs/otel/resource/sdk/ says how it is written.
    private static string? ServiceNameOf(IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        if (Given(environment, ResourceAttributes) is not { } attributes)
        {
            return null;
        }
        if (!PercentEncodedPairs.TryParse(attributes, out var pairs, out var problem))
        {
            problems.Warn($"environment {ResourceAttributes}", "", $"is ignored in part: {problem}");
        }
        return pairs.LastOrDefault(pair => pair.Name == "service.name").Value is { Length: > 0 } name ? name : null;
    }

    private static bool IsDisabled(IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        var value = Given(environment, Disabled);
        if (value is not null && !bool.TryParse(value, out _))
        {
            problems.Warn($"environment {Disabled}", "", $"is ignored: must be true or false, not \"{value}\"");
        }
        return bool.TryParse(value, out var isDisabled) && isDisabled;
    }

    private static void ApplySampler(
        ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        const string prefix = "parentbased_";
        if (Given(environment, Sampler) is not { } sampler)
        {
            return;
        }
        // All are parent-based here: what a caller has decided is obeyed.
        var isPrefixed = sampler.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);
        var name = isPrefixed ? sampler[prefix.Length..] : sampler;
        var known = Array.Find(Samplers, known => known.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        string[] path = ["telemetry", "trace-probability"];
        if (known.Name is null)
        {
            problems.Warn(
                $"environment {Sampler}",
                string.Join('.', path),
                $"is ignored: must be always_on, always_off or traceidratio, or one of these after {prefix}, "
                + $"not \"{sampler}\"");
        }
        else if (known.Name == RatioSampler)
        {
            // An argument that is none counts as none.
            Apply(root, path, "1", Sampler, problems);
            if (Given(environment, SamplerArgument) is { } argument)
            {
                Apply(root, path, argument, SamplerArgument, problems);
            }
        }
        else
        {
            Apply(root, path, known.Probability, Sampler, problems);
        }
    }

    /// <summary>Writes a value over all but those of variables of our own.</summary>
    private static void Apply(ConfigMap root, string[] path, string value, string variable, ConfigProblems problems)
    {
        var below = Find(root, path);
        if (below?.Where.StartsWith($"environment {EnvironmentConfig.Prefix}", StringComparison.Ordinal) != true)
        {
            EnvironmentConfig.Set(
                root, path, where => new ConfigHint(value.Trim(), where, below), $"environment {variable}", problems);
        }
    }

    // An empty variable counts as none: section "Parsing empty value".
    private static string? Given(IReadOnlyDictionary<string, string> environment, string variable) =>
        environment.TryGetValue(variable, out var value) && value.Length > 0 ? value : null;

    private static ConfigNode? Find(ConfigNode? node, IEnumerable<string> path) =>
        path.Aggregate(node, (below, name) => (below as ConfigMap)?.Members.GetValueOrDefault(name));

    private static ConfigMap? ExportersOf(ConfigMap root) => Find(root, ["telemetry", "exporters"]) as ConfigMap;

    private static List<string> Exporters(ConfigMap root) =>
    [
        .. (ExportersOf(root)?.Members ?? []).Where(exporter =>
            exporter.Value is ConfigMap map && map.Members.GetValueOrDefault("type") is ConfigScalar { Text: { } type }
            && type.Equals(ExporterType, StringComparison.OrdinalIgnoreCase))
            .Select(exporter => exporter.Key),
    ];
}
