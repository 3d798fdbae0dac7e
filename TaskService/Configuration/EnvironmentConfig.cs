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
        ListenConfig.Apply(root, environment, problems);
        OpenTelemetryConfig.ApplyServiceName(root, environment, problems);
        OperationsSettings.ApplyEnvironment(root, environment, problems);
        var ours = environment.Keys.Where(variable => variable.StartsWith(Prefix, StringComparison.Ordinal));
        foreach (var variable in ours.Order(StringComparer.Ordinal))
        {
            var names = variable[Prefix.Length..].Split("__");
            if (names is [var first, var second] && Shape(first) == "SERVICE" && Shape(second) == "URLS")
            {
                ListenConfig.Set(root, ListenConfig.Split(environment[variable], ','), $"environment {variable}");
                continue;
            }
            Set(root, names, environment[variable], variable, problems);
        }
        WarnOfOtherCase(environment, problems);
        OpenTelemetryConfig.Apply(root, environment, problems);
        if (environment.TryGetValue("PORT", out var port) && port.Length > 0)
        {
            Set(root, ["service", "port"], port, "PORT", problems);
        }
    }

    // Names of variables differ by their case, but on Windows, where people may expect the same here.
    private static void WarnOfOtherCase(IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        foreach (var variable in environment.Keys.Order(StringComparer.Ordinal))
        {
            if (variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)
                && !variable.StartsWith(Prefix, StringComparison.Ordinal))
            {
                problems.Warn($"environment {variable}", "", $"is ignored: names of settings begin with {Prefix}");
            }
        }
    }

    /// <summary>Writes a value at a path, over what is there.</summary>
    public static void Set(ConfigMap root, string[] names, string value, string variable, ConfigProblems problems) =>
        Set(root, names, where => new ConfigScalar(value, where), $"environment {variable}", problems);

    /// <summary>Writes a node at a path, over what is there.</summary>
    public static void Set(
        ConfigMap root, string[] names, Func<string, ConfigScalar> node, string where, ConfigProblems problems)
    {
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
                KeepEngine(below, Key(below, names[1]), where);
            }
            map = below;
        }
        map.Members[Key(map, names[^1])] = node(where);
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

    // An engine that the environment or the command line names replaces those of what has less weight.
    private static void KeepEngine(ConfigMap engines, string engine, string where)
    {
        var source = where[..2];
        foreach (var other in engines.Members.Where(member => member.Key != engine).ToList())
        {
            if (!other.Value.Where.StartsWith(source, StringComparison.Ordinal))
            {
                engines.Members.Remove(other.Key);
            }
        }
    }

    /// <summary>
    /// The key that is meant: one that is there and differs in case and punctuation only, else hyphenated.
    /// PAGE_SIZE is <c>pageSize</c> when that is there.
    /// </summary>
    private static string Key(ConfigMap map, string name) =>
        map.Members.Keys.FirstOrDefault(key => Shape(key) == Shape(name))
        ?? map.Members.Keys.FirstOrDefault(key => Letters(key) == Letters(name))
        ?? (name.Any(char.IsAsciiLetterLower) ? name : name.ToLowerInvariant().Replace('_', '-'));

    private static string Letters(string name) => Shape(name).Replace("_", "", StringComparison.Ordinal);

    private static string Shape(string name) =>
        string.Concat(name.ToUpperInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
}
