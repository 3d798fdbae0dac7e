namespace TaskService.Configuration;

/// <summary>
/// The YAML file, with the environment and the command line over it, as <c>builder.Configuration</c> reads it. Nothing
/// is copied: a look-up walks the tree. As the case of letters, hyphens do not count, so that <c>page-size-max</c>
/// binds to <c>PageSizeMax</c>; the children of a level keep their names.
/// </summary>
internal sealed class ConfigSource(ConfigMap root) : ConfigurationProvider, IConfigurationSource
{
    /// <summary>All values by their paths, secrets as well: to be compared and never shown.</summary>
    public IReadOnlyDictionary<string, string?> Values
    {
        get
        {
            var values = new Dictionary<string, string?>();
            foreach (var (key, below) in root.Members)
            {
                AddValues(key, below, values);
            }
            return values;
        }
    }

    /// <summary>Whether two names differ only in hyphens and the case of letters.</summary>
    public static bool IsSameName(string a, string b) => WithoutHyphens(a)
        .Equals(WithoutHyphens(b), StringComparison.OrdinalIgnoreCase);

    /// <summary>All values of a node, each by its path with a colon for a level.</summary>
    public static void AddValues(string path, ConfigNode? node, Dictionary<string, string?> values)
    {
        switch (node)
        {
            case ConfigMap map:
                foreach (var (key, below) in map.Members)
                {
                    AddValues($"{path}:{key}", below, values);
                }
                break;
            case ConfigList list:
                for (var i = 0; i < list.Items.Count; i++)
                {
                    AddValues($"{path}:{i}", list.Items[i], values);
                }
                break;
            case ConfigScalar scalar:
                values[path] = scalar.Text;
                break;
            default:
                break;
        }
    }

    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    /// <inheritdoc/>
    /// <remarks>What code has set counts first.</remarks>
    public override bool TryGet(string key, out string? value)
    {
        if (base.TryGet(key, out value))
        {
            return true;
        }
        value = (Find(root, key.Split(ConfigurationPath.KeyDelimiter)) as ConfigScalar)?.Text;
        return value is not null;
    }

    public override IEnumerable<string> GetChildKeys(IEnumerable<string> earlierKeys, string? parentPath)
    {
        var level = parentPath is null ? root : Find(root, parentPath.Split(ConfigurationPath.KeyDelimiter));
        var own = level switch
        {
            ConfigMap map => map.Members.Where(member => member.Value is not ConfigReported).Select(one => one.Key),
            ConfigList list => list.Items.Select((_, i) => $"{i}"),
            _ => [],
        };
        return base.GetChildKeys(own.Concat(earlierKeys), parentPath);
    }

    // It is shown by tools that list providers, and must say nothing of what it holds.
    public override string ToString() => "YAML, environment and command line";

    // A name may have colons, such as that of a URL.
    private static ConfigNode? Find(ConfigNode? level, ReadOnlySpan<string> path)
    {
        if (path.Length == 0)
        {
            return level;
        }
        if (level is ConfigList list)
        {
            return int.TryParse(path[0], out var index) && index >= 0 && index < list.Items.Count
                ? Find(list.Items[index], path[1..]) : null;
        }
        for (var count = 1; level is ConfigMap map && count <= path.Length; count++)
        {
            var name = string.Join(':', path[..count]!);
            if (Member(map, name) is { } below && Find(below, path[count..]) is { } found)
            {
                return found;
            }
        }
        return null;
    }

    private static ConfigNode? Member(ConfigMap map, string name) => map.Members.GetValueOrDefault(name)
        ?? map.Members.FirstOrDefault(member => IsSameName(member.Key, name)).Value;

    private static string WithoutHyphens(string name) => name.Replace("-", "", StringComparison.Ordinal);
}
