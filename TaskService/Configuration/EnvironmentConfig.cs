using System.Net;

namespace TaskService.Configuration;

/// <summary>
/// What the environment says of the configuration. <c>TASKSERVICE__TASK_DB__FS=/data</c> is
/// <c>task-db: { fs: /data }</c>: two underscores for a level, one for a hyphen. Kubernetes injects
/// variables such as <c>TASKSERVICE_PORT</c>, which is why the prefix ends with two.
/// </summary>
internal static class EnvironmentConfig
{
    public const string Prefix = "TASKSERVICE__";

    /// <summary>Writes the variables into <paramref name="root"/>, over what the file says.</summary>
    public static void Apply(ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        ApplyPort(root, environment, problems);
        if (environment.TryGetValue(OpenTelemetryConfig.ServiceName, out var name) && name.Length > 0)
        {
            Set(root, ["service", "name"], name, OpenTelemetryConfig.ServiceName, problems);
        }
        var ours = environment.Keys.Where(variable => variable.StartsWith(Prefix, StringComparison.Ordinal));
        foreach (var variable in ours.Order(StringComparer.Ordinal))
        {
            Set(root, variable[Prefix.Length..].Split("__"), environment[variable], variable, problems);
        }
        OpenTelemetryConfig.Apply(root, environment, problems);
        if (environment.TryGetValue("PORT", out var port) && port.Length > 0)
        {
            Set(root, ["service", "port"], port, "PORT", problems);
        }
    }

    // The images of the .NET runtime set HTTP_PORTS, so that it ranks below the file; what a person sets ranks above.
    private static void ApplyPort(
        ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        foreach (var variable in new[] { "ASPNETCORE_HTTP_PORTS", "HTTP_PORTS" })
        {
            var given = (root.Members.GetValueOrDefault("service") as ConfigMap)?.Members.ContainsKey("port") == true;
            if (!given && environment.TryGetValue(variable, out var ports) && ports.Length > 0)
            {
                Set(root, ["service", "port"], ports, variable, problems);
            }
        }
        if (environment.TryGetValue("ASPNETCORE_URLS", out var urls) && urls.Length > 0)
        {
            ApplyUrl(root, urls, problems);
        }
    }

    private static void ApplyUrl(ConfigMap root, string url, ConfigProblems problems)
    {
        const string scheme = "http://";
        var isHttp = url.StartsWith(scheme, StringComparison.OrdinalIgnoreCase);
        var authority = isHttp ? url[scheme.Length..].TrimEnd('/') : "";
        var colon = authority.LastIndexOf(':');
        var address = colon < 0 ? null : authority[..colon] switch
        {
            // A wildcard, which no parser of URIs takes.
            "+" or "*" => IPAddress.Any,
            "localhost" => IPAddress.Loopback,
            var host => IPAddress.TryParse(host, out var parsed) ? parsed : null,
        };
        if (address is null || !ushort.TryParse(authority[(colon + 1)..], out _))
        {
            problems.Add(
                "environment ASPNETCORE_URLS",
                "service.port",
                $"must be one URL such as http://+:8080 or http://127.0.0.1:8080, not \"{url}\"");
            return;
        }
        Set(root, ["service", "address"], $"{address}", "ASPNETCORE_URLS", problems);
        Set(root, ["service", "port"], authority[(colon + 1)..], "ASPNETCORE_URLS", problems);
    }

    /// <summary>Writes a value at a path, over what is there.</summary>
    internal static void Set(ConfigMap root, string[] names, string value, string variable, ConfigProblems problems)
    {
        var where = $"environment {variable}";
        if (names.Any(name => name.Length == 0))
        {
            problems.Add(where, "", "a name is missing between two underscores and two underscores");
            return;
        }
        var map = root;
        for (var i = 0; i < names.Length - 1; i++)
        {
            var key = Key(map, names[i]);
            if (Below(map, key, where) is not { } below)
            {
                // The reader of this level says what is wrong with it.
                return;
            }
            if (i == 0 && key == "task-db")
            {
                KeepEngine(below, Key(below, names[1]));
            }
            map = below;
        }
        map.Members[Key(map, names[^1])] = new ConfigScalar(value, where);
    }

    /// <summary>The level under a key, made when nothing is there; null when something else is.</summary>
    public static ConfigMap? Below(ConfigMap map, string key, string where)
    {
        if (map.Members.GetValueOrDefault(key) is null or ConfigScalar { Text: null })
        {
            map.Members[key] = new ConfigMap(where);
        }
        return map.Members[key] as ConfigMap;
    }

    // An engine that the environment names replaces the one of the file.
    private static void KeepEngine(ConfigMap engines, string engine)
    {
        foreach (var other in engines.Members.Where(member => member.Key != engine).ToList())
        {
            if (!other.Value.Where.StartsWith("environment ", StringComparison.Ordinal))
            {
                engines.Members.Remove(other.Key);
            }
        }
    }

    /// <summary>
    /// The key that is meant: one that is there and differs in case and punctuation only, else hyphenated.
    /// </summary>
    private static string Key(ConfigMap map, string name) =>
        map.Members.Keys.FirstOrDefault(key => Shape(key) == Shape(name))
        ?? (name.Any(char.IsAsciiLetterLower) ? name : name.ToLowerInvariant().Replace('_', '-'));

    private static string Shape(string name) =>
        string.Concat(name.ToUpperInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
}
