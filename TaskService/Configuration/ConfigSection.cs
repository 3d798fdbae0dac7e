using System.Globalization;
using System.Net;
using System.Text.Json;

namespace TaskService.Configuration;

/// <summary>
/// A level of the configuration, out of which typed values are read. What is asked for is what is allowed: the rest
/// is reported by <see cref="ReportUnknown"/>, and every value that was asked for can be shown with its source.
/// </summary>
internal sealed class ConfigSection(
    string path, ConfigMap? map, string where, ConfigProblems problems, bool isList = false)
{
    private const string Default = "default";

    private readonly OrderedDictionary<string, Entry> asked = new(StringComparer.Ordinal);

    /// <summary>Where this level begins, or where it is missing.</summary>
    public string Where { get; } = map?.Where ?? where;

    /// <summary>The names that are given on this level.</summary>
    public IEnumerable<string> Keys => map?.Members.Keys ?? Enumerable.Empty<string>();

    /// <summary>The value as it was given; null when it is missing or was reported already.</summary>
    public ConfigNode? Find(string key) =>
        map?.Members.GetValueOrDefault(key) is { } node and not ConfigReported ? node : null;

    public void Problem(string key, string message) => problems.Add(Find(key)?.Where ?? Where, PathOf(key), message);

    /// <summary>A problem that is found when all has been read already.</summary>
    public ConfigException Failure(string key, string message)
    {
        var late = new ConfigProblems();
        late.Add(Find(key)?.Where ?? Where, PathOf(key), message);
        return new ConfigException(late.Lines);
    }

    /// <summary>Text, such as a name or a path: on one line, and without control characters.</summary>
    public string Text(string key, string fallback)
    {
        if (Scalar(key) is not { } text)
        {
            return Defaulted(key, fallback);
        }
        if (text.Any(char.IsControl))
        {
            Problem(key, $"must have no control character, such as U+{(int)text.First(char.IsControl):X4}");
            text = ConfigProblems.OneLine(text);
        }
        return Shown(key, text);
    }

    /// <summary>Text with secrets in it; <paramref name="masked"/> makes of it what may be shown.</summary>
    public string Text(string key, string fallback, Func<string, string> masked)
    {
        if (Scalar(key) is not { } text)
        {
            return Defaulted(key, fallback);
        }
        Shown(key, masked(text));
        return text;
    }

    /// <summary>
    /// All values here and below, whatever they are called, each by its path with a colon for a level. They may be
    /// secrets: none is ever shown.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Hidden()
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var key in Keys)
        {
            asked[key] = new Entry("***", Find(key)?.Where ?? Where, null);
            ConfigSource.AddValues(key, Find(key), values);
        }
        return values;
    }

    /// <summary>A whole number within bounds, both included.</summary>
    public long Integer(string key, long fallback, long min, long max)
    {
        if (Scalar(key) is not { } text)
        {
            return Defaulted(key, fallback);
        }
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max)
        {
            return Shown(key, value);
        }
        return IsIgnored(key, $"must be a whole number from {min} to {max}, not \"{text}\"")
            ? Integer(key, fallback, min, max)
            : fallback;
    }

    /// <summary>A number within bounds, both included.</summary>
    public double Number(string key, double fallback, double min, double max)
    {
        if (Scalar(key) is not { } text)
        {
            return Defaulted(key, fallback);
        }
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            && value >= min && value <= max)
        {
            return Shown(key, value);
        }
        var message = string.Create(
            CultureInfo.InvariantCulture, $"must be a number from {min} to {max}, not \"{text}\"");
        return IsIgnored(key, message) ? Number(key, fallback, min, max) : fallback;
    }

    /// <summary>True or false, in the words of YAML 1.1 (https://yaml.org/type/bool.html).</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Scalar(key) is not { } text)
        {
            return Defaulted(key, fallback);
        }
        if (ParseFlag(text) is { } flag)
        {
            return Shown(key, flag);
        }
        return IsIgnored(key, $"must be true or false, not \"{text}\"") ? Flag(key, fallback) : fallback;
    }

    /// <inheritdoc cref="Flag" path="/summary"/>
    public static bool? ParseFlag(string text) => text.ToUpperInvariant() switch
    {
        "TRUE" or "YES" or "ON" or "Y" => true,
        "FALSE" or "NO" or "OFF" or "N" => false,
        _ => null,
    };

    /// <summary>One of a few names, in any case.</summary>
    public T Choice<T>(string key, T fallback, IReadOnlyList<(string Name, T Value)> allowed)
    {
        if (Scalar(key) is not { } text)
        {
            Defaulted(key, allowed.First(choice => Equals(choice.Value, fallback)).Name);
            return fallback;
        }
        foreach (var (name, value) in allowed)
        {
            if (name.Equals(text, StringComparison.OrdinalIgnoreCase))
            {
                Shown(key, name);
                return value;
            }
        }
        var message = FormerNames.Advice(path, key, text)
            ?? $"\"{text}\" is not known{ConfigProblems.Allowed(text, allowed.Select(choice => choice.Name))}";
        return IsIgnored(key, message) ? Choice(key, fallback, allowed) : fallback;
    }

    /// <summary>A text that can be converted to a type of .NET, as it is converted.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="type">One of <see cref="OptionValue.IsText"/>.</param>
    /// <param name="fallback">Only shown.</param>
    /// <param name="isSecret">Whether it is hidden whatever it is.</param>
    /// <returns>Null when it is missing or wrong.</returns>
    public string? Convertible(string key, Type type, object? fallback, bool isSecret)
    {
        if (Scalar(key) is not { } text)
        {
            if (fallback is not null)
            {
                Defaulted(key, Visible(fallback, $"{fallback}"));
            }
            return null;
        }
        if (OptionValue.Normalize(type, text, out var expected) is not { } value)
        {
            Problem(key, $"must be {expected}, not \"{(IsHidden(text) ? "***" : text)}\"");
            return null;
        }
        Shown(key, Visible(value, text));
        return value;

        object Visible(object given, string text) => IsHidden(text) ? "***" : OptionValue.Shown(type, given);

        bool IsHidden(string text) => isSecret || OptionValue.IsSecret(key, text);
    }

    /// <summary>A list of texts. In an environment variable they are separated by commas.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string>? fallback = null)
    {
        switch (Find(key))
        {
            case null:
                return Defaulted(key, fallback ?? []);
            case ConfigScalar { Text: { } text } scalar when IsOfEnvironment(scalar):
                return Shown(key, ListenConfig.Split(text, ','));
            case ConfigList list when list.Items.All(item => item is ConfigScalar { Text: not null }):
                return Shown(key, list.Items.Select(item => ((ConfigScalar)item).Text!).ToArray());
            default:
                Allow(key);
                Problem(key, "must be a list, such as [a, b]");
                return [];
        }
    }

    /// <summary>A list of networks; an address is a network of one.</summary>
    public IReadOnlyList<IPNetwork> Networks(string key)
    {
        var networks = new List<IPNetwork>();
        foreach (var text in Texts(key))
        {
            if (IPNetwork.TryParse(text, out var network))
            {
                networks.Add(network);
            }
            else if (IPAddress.TryParse(text, out var address))
            {
                networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            }
            else
            {
                Problem(key, $"must hold addresses and networks such as 10.0.0.1 or 10.0.0.0/8, not \"{text}\"");
            }
        }
        return networks;
    }

    /// <summary>The level below. When it is missing, an empty one.</summary>
    public ConfigSection Section(string key)
    {
        var node = Find(key);
        if (node is not (null or ConfigMap or ConfigScalar { Text: null }))
        {
            Problem(key, "must be a mapping, such as { key: value }");
        }
        var section = new ConfigSection(PathOf(key), node as ConfigMap, node?.Where ?? Where, problems);
        asked[key] = new Entry(null, Default, section);
        return section;
    }

    /// <summary>A list of any items as a level below, whose keys are their numbers.</summary>
    public ConfigSection List(string key)
    {
        var node = Find(key);
        var items = node switch
        {
            ConfigList list => list.Items,
            ConfigScalar { Text: { } text } when IsOfEnvironment(node) =>
                [.. ListenConfig.Split(text, ',').Select(item => new ConfigScalar(item, node.Where))],
            _ => [],
        };
        if (node is not (null or ConfigList or ConfigScalar { Text: null }) && !IsOfEnvironment(node))
        {
            Problem(key, "must be a list, such as [a, b]");
        }
        var members = new ConfigMap(node?.Where ?? Where);
        for (var i = 0; i < items.Count; i++)
        {
            members.Members.Add($"{i}", items[i]);
        }
        var section = new ConfigSection(PathOf(key), members, members.Where, problems, isList: true);
        asked[key] = new Entry(null, Default, section);
        return section;
    }

    /// <summary>The name as it is given here, which may differ in hyphens and case; else it with hyphens.</summary>
    public string KeyOf(string name) => map is not null && map.Members.ContainsKey(name) ? name
        : Keys.FirstOrDefault(key => ConfigSource.IsSameName(key, name))
            ?? (path.Length == 0 ? name : JsonNamingPolicy.KebabCaseLower.ConvertName(name));

    /// <summary>The level below that was read already; null when it was not.</summary>
    public ConfigSection? Below(string key) => asked.GetValueOrDefault(key)?.Section;

    /// <summary>Whether a key is another one here, with which it is reported when it is given.</summary>
    public bool IsFormerName(string key) => FormerNames.Advice(path, key, null) is not null;

    /// <summary>The levels below, whatever their names are.</summary>
    public IEnumerable<(string Name, ConfigSection Section)> Sections() =>
        Keys.ToList().Select(key => (key, Section(key)));

    /// <summary>Says that a key is allowed and, when it is there, that it has no value.</summary>
    public void Empty(string key)
    {
        var given = Find(key);
        asked[key] = new Entry(given is null ? null : DBNull.Value, given?.Where ?? Default, null);
        if (given is not (null or ConfigScalar { Text: null or "" } or ConfigMap { Members.Count: 0 }))
        {
            Problem(key, "takes no value");
        }
    }

    /// <summary>Says that a key is allowed but gives no value here.</summary>
    public void Allow(string key) => asked.TryAdd(key, new Entry(null, Default, null));

    /// <summary>Reports each key, here and below, that nobody asked for.</summary>
    public void ReportUnknown()
    {
        foreach (var key in Keys.Where(key => !asked.ContainsKey(key)))
        {
            var advice = FormerNames.Advice(path, key, (Find(key) as ConfigScalar)?.Text);
            Problem(key, advice ?? $"unknown key{ConfigProblems.Allowed(key, asked.Keys)}");
        }
        foreach (var entry in asked.Values)
        {
            entry.Section?.ReportUnknown();
        }
    }

    /// <summary>Writes what was asked for as YAML, each value with its source as a comment.</summary>
    public void Print(TextWriter output, int depth = 0)
    {
        foreach (var (key, entry) in asked)
        {
            var indent = new string(' ', depth * 2);
            var name = isList ? "-" : $"{YamlText.Quoted(key)}:";
            if (entry.Section is { asked.Count: > 0 } section)
            {
                output.WriteLine($"{indent}{name}");
                section.Print(output, depth + 1);
            }
            else if (entry.Value is not null)
            {
                output.WriteLine(
                    $"{$"{indent}{name} {Printed(entry.Value)}",-48}  # {ConfigProblems.OneLine(entry.Where)}");
            }
        }
    }

    /// <summary>Reports a value that cannot be used, and takes away one that may be ignored.</summary>
    /// <returns>Whether there is another one to read, or none.</returns>
    private bool IsIgnored(string key, string message)
    {
        if (Find(key) is not ConfigHint hint)
        {
            Problem(key, message);
            return false;
        }
        problems.Warn(hint.Where, PathOf(key), $"is ignored: {message}");
        map!.Members.Remove(key);
        if (hint.Below is { } below)
        {
            map.Members.Add(key, below);
        }
        return true;
    }

    private string PathOf(string key) => path.Length == 0 || key.Length == 0 ? $"{path}{key}" : $"{path}.{key}";

    private static bool IsOfEnvironment(ConfigNode node) =>
        node.Where.StartsWith("environment ", StringComparison.Ordinal);

    private string? Scalar(string key)
    {
        Allow(key);
        switch (Find(key))
        {
            case null:
                return null;
            case ConfigScalar { Text: { } text }:
                return text;
            case ConfigScalar:
                Problem(key, "has no value");
                return null;
            default:
                Problem(key, "must be a single value");
                return null;
        }
    }

    private T Shown<T>(string key, T value)
        where T : notnull
    {
        asked[key] = new Entry(value, Find(key)!.Where, null);
        return value;
    }

    private T Defaulted<T>(string key, T value)
        where T : notnull
    {
        asked[key] = new Entry(value, Default, null);
        return value;
    }

    private static string Printed(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        IEnumerable<string> texts => $"[{string.Join(", ", texts.Select(text => Printed(text)))}]",
        string text => YamlText.Quoted(VariableExpansion.Escape(text)),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <param name="Value">Formatted only when it is printed, which takes more than to read it; null for none.</param>
    /// <param name="Where">Its source.</param>
    /// <param name="Section">What is below it, instead of a value.</param>
    private sealed record Entry(object? Value, string Where, ConfigSection? Section);
}
