using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace TaskService.Configuration;

/// <summary>
/// Reads one YAML document into nodes that know their line, with <c>${NAME}</c> filled in. An alias is a copy of its
/// anchor, <c>&lt;&lt;</c> merges mappings (https://yaml.org/type/merge.html), and top-level keys that begin with
/// <c>x-</c> only carry anchors.
/// </summary>
internal sealed class YamlConfig
{
    private const int DepthMax = 100;
    private const int NodesMax = 100_000;
    private const string MergeKey = "<<";
    private const string CoreTag = "tag:yaml.org,2002:";

    // What they say of a value is said by the setting, but for str: null is then a text.
    private static readonly string[] KnownTags =
        ["!", .. new[] { "str", "int", "float", "bool", "null", "seq", "map", "merge" }.Select(tag => CoreTag + tag)];

    private readonly Dictionary<AnchorName, ConfigNode> anchors = [];
    private readonly string file;
    private readonly IParser parser;
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly ConfigProblems problems;
    private int nodes;

    private YamlConfig(
        string file, IParser parser, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        (this.file, this.parser, this.environment, this.problems) = (file, parser, environment, problems);
    }

    /// <param name="file">How messages call it.</param>
    /// <param name="text">The document.</param>
    /// <param name="environment">What <c>${NAME}</c> stands for.</param>
    /// <param name="problems">Gets what is wrong but does not keep the rest from being read.</param>
    /// <exception cref="ConfigException">It is not YAML, not a mapping, or too deep or too large.</exception>
    public static ConfigMap Read(
        string file, string text, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        try
        {
            RefuseControlCharacters(file, text);
            return new YamlConfig(file, new Parser(new StringReader(text)), environment, problems).ReadDocument();
        }
        catch (YamlException error)
        {
            throw Failure($"{file}:{error.Start.Line}", "", $"not valid YAML: {Reason(error)}");
        }
    }

    // The parser takes some for the end of the text (https://yaml.org/spec/1.2.2/#51-character-set).
    private static void RefuseControlCharacters(string file, string text)
    {
        var line = 1;
        foreach (var c in text)
        {
            line += c == '\n' ? 1 : 0;
            if (char.IsControl(c) && c is not ('\t' or '\n' or '\r' or '\u0085'))
            {
                var problem = $"not valid YAML: control character U+{(int)c:X4} (\"\\x{(int)c:x2}\" is one)";
                throw Failure($"{file}:{line}", "", problem);
            }
        }
    }

    private static ConfigException Failure(string where, string path, string message)
    {
        var problem = new ConfigProblems();
        problem.Add(where, path, message);
        return new ConfigException(problem.Lines);
    }

    // The parser's position is said already.
    private static string Reason(YamlException error) => error.InnerException?.Message ?? error.Message;

    private ConfigMap ReadDocument()
    {
        parser.Consume<StreamStart>();
        if (!parser.Accept<DocumentStart>(out _))
        {
            return new ConfigMap($"{file}:1");
        }
        parser.Consume<DocumentStart>();
        var root = ReadNode("", 0);
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out var second))
        {
            throw Failure(Line(second), "", "only one YAML document is allowed");
        }
        var map = root switch
        {
            ConfigMap mapping => mapping,
            ConfigScalar { Text: null } => new ConfigMap(root.Where),
            ConfigReported => throw new ConfigException(problems.Lines),
            _ => throw Failure(root.Where, "", "must be a mapping of settings, such as \"service:\""),
        };
        foreach (var key in map.Members.Keys.Where(key => key.StartsWith("x-", StringComparison.Ordinal)).ToList())
        {
            map.Members.Remove(key);
        }
        return map;
    }

    private ConfigNode ReadNode(string path, int depth)
    {
        var next = parser.Consume<ParsingEvent>();
        var where = Line(next);
        if (next is AnchorAlias alias)
        {
            return anchors.TryGetValue(alias.Value, out var known)
                ? Copy(known, where, depth)
                : throw Failure(where, path, $"no anchor &{alias.Value} stands before this alias");
        }
        Count(where, depth);
        ConfigNode node = next switch
        {
            Scalar scalar => ReadScalar(scalar, where, path),
            SequenceStart => ReadList(where, path, depth),
            _ => ReadMap(where, path, depth),
        };
        if (next is NodeEvent named)
        {
            node = IsTagKnown(named, path) ? node : new ConfigReported(where);
            if (!named.Anchor.IsEmpty)
            {
                anchors[named.Anchor] = node;
            }
        }
        return node;
    }

    private string Line(ParsingEvent at) => $"{file}:{at.Start.Line}";

    // A few lines can be nested, or by aliases of aliases repeated, without end.
    private void Count(string where, int depth)
    {
        if (depth > DepthMax)
        {
            throw Failure(where, "", $"nested more than {DepthMax} levels deep");
        }
        if (++nodes > NodesMax)
        {
            throw Failure(where, "", $"more than {NodesMax} values, those of aliases included");
        }
    }

    /// <summary>A node of its own: layers above the file are written into nodes.</summary>
    private ConfigNode Copy(ConfigNode node, string where, int depth)
    {
        Count(where, depth);
        switch (node)
        {
            case ConfigList list:
                return list with { Items = [.. list.Items.Select(item => Copy(item, where, depth + 1))] };
            case ConfigMap map:
                var copy = new ConfigMap(map.Where);
                foreach (var (key, member) in map.Members)
                {
                    copy.Members.Add(key, Copy(member, where, depth + 1));
                }
                return copy;
            default:
                return node;
        }
    }

    private bool IsTagKnown(NodeEvent node, string path)
    {
        if (node.Tag.IsEmpty || KnownTags.Contains(node.Tag.Value))
        {
            return true;
        }
        problems.Add(
            Line(node), path, $"unknown tag {node.Tag.Value} (a value from the environment is written ${{NAME}})");
        return false;
    }

    private ConfigList ReadList(string where, string path, int depth)
    {
        var items = new List<ConfigNode>();
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode($"{path}[{items.Count}]", depth + 1));
        }
        return new ConfigList(items, where);
    }

    private ConfigMap ReadMap(string where, string path, int depth)
    {
        var map = new ConfigMap(where);
        ConfigNode? merge = null;
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (!parser.TryConsume<Scalar>(out var key))
            {
                throw Failure(Line(parser.Current!), path, "a key must be a plain name");
            }
            var memberPath = path.Length == 0 ? key.Value : $"{path}.{key.Value}";
            IsTagKnown(key, memberPath);
            var value = ReadNode(memberPath, depth + 1);
            var isMerge = key is { Value: MergeKey, Style: ScalarStyle.Plain };
            var first = isMerge ? merge : map.Members.GetValueOrDefault(key.Value);
            if (first is not null)
            {
                problems.Add(Line(key), memberPath, $"duplicate key, first used at {first.Where}");
            }
            else if (isMerge)
            {
                merge = value;
            }
            else
            {
                map.Members.Add(key.Value, value);
            }
        }
        Merge(map, merge, path);
        return map;
    }

    /// <summary>Adds the members that are not there yet; of several mappings, the first that has one counts.</summary>
    private void Merge(ConfigMap map, ConfigNode? merge, string path)
    {
        var sources = merge is ConfigList list ? list.Items : merge is null ? [] : [merge];
        foreach (var source in sources)
        {
            if (source is ConfigMap mapping)
            {
                foreach (var (key, member) in mapping.Members)
                {
                    map.Members.TryAdd(key, member);
                }
            }
            else if (source is not ConfigReported)
            {
                problems.Add(source.Where, path, "<< must have a mapping, or a list of them, such as *anchor");
            }
        }
    }

    private ConfigNode ReadScalar(Scalar scalar, string where, string path)
    {
        if (scalar is { Style: ScalarStyle.Plain, Value: "" or "~" or "null" or "Null" or "NULL" }
            && (scalar.Tag.IsEmpty || scalar.Tag.Value == $"{CoreTag}null"))
        {
            return new ConfigScalar(null, where);
        }
        try
        {
            return new ConfigScalar(VariableExpansion.Expand(scalar.Value, environment), where);
        }
        catch (FormatException error)
        {
            problems.Add(where, path, error.Message);
            return new ConfigReported(where);
        }
    }
}
