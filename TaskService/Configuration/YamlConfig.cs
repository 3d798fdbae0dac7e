using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace TaskService.Configuration;

/// <summary>Reads one YAML document into nodes that know their line, with <c>${NAME}</c> filled in.</summary>
internal sealed class YamlConfig
{
    private readonly Dictionary<AnchorName, ConfigNode> anchors = [];
    private readonly string file;
    private readonly IParser parser;
    private readonly IReadOnlyDictionary<string, string> environment;
    private readonly ConfigProblems problems;

    private YamlConfig(
        string file, IParser parser, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        (this.file, this.parser, this.environment, this.problems) = (file, parser, environment, problems);
    }

    /// <param name="file">How messages call it.</param>
    /// <param name="text">The document.</param>
    /// <param name="environment">What <c>${NAME}</c> stands for.</param>
    /// <param name="problems">Gets what is wrong but does not keep the rest from being read.</param>
    /// <exception cref="ConfigException">It is not YAML, or not a mapping.</exception>
    public static ConfigMap Read(
        string file, string text, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        try
        {
            var reader = new YamlConfig(file, new Parser(new StringReader(text)), environment, problems);
            return reader.ReadDocument();
        }
        catch (YamlException error)
        {
            throw new ConfigException([$"{file}:{error.Start.Line}: not valid YAML: {Reason(error)}"]);
        }
    }

    // The parser's messages may span lines; its position is said already.
    private static string Reason(YamlException error)
    {
        var message = error.InnerException?.Message ?? error.Message;
        return string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries));
    }

    private ConfigMap ReadDocument()
    {
        parser.Consume<StreamStart>();
        if (!parser.Accept<DocumentStart>(out _))
        {
            return new ConfigMap($"{file}:1");
        }
        parser.Consume<DocumentStart>();
        var root = ReadNode("");
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out var second))
        {
            throw new ConfigException([$"{file}:{second.Start.Line}: only one YAML document is allowed"]);
        }
        return root switch
        {
            ConfigMap map => map,
            ConfigScalar { Text: null } nothing => new ConfigMap(nothing.Where),
            _ => throw new ConfigException([$"{root.Where}: must be a mapping of settings, such as \"service:\""]),
        };
    }

    private ConfigNode ReadNode(string path)
    {
        var next = parser.Consume<ParsingEvent>();
        var where = $"{file}:{next.Start.Line}";
        if (next is AnchorAlias alias)
        {
            return anchors.TryGetValue(alias.Value, out var known)
                ? known
                : throw new ConfigException([$"{where}: {path}: no anchor &{alias.Value} stands before this alias"]);
        }
        ConfigNode node = next switch
        {
            Scalar scalar => ReadScalar(scalar, where, path),
            SequenceStart => ReadList(where, path),
            _ => ReadMap(where, path),
        };
        if (next is NodeEvent { Anchor.IsEmpty: false } named)
        {
            anchors[named.Anchor] = node;
        }
        return node;
    }

    private ConfigList ReadList(string where, string path)
    {
        var items = new List<ConfigNode>();
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode($"{path}[{items.Count}]"));
        }
        return new ConfigList(items, where);
    }

    private ConfigMap ReadMap(string where, string path)
    {
        var map = new ConfigMap(where);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (!parser.TryConsume<Scalar>(out var key))
            {
                throw new ConfigException([$"{file}:{parser.Current!.Start.Line}: {path}: a key must be a plain name"]);
            }
            var memberPath = path.Length == 0 ? key.Value : $"{path}.{key.Value}";
            var value = ReadNode(memberPath);
            if (!map.Members.TryAdd(key.Value, value))
            {
                var first = map.Members[key.Value].Where;
                problems.Add($"{file}:{key.Start.Line}", memberPath, $"duplicate key, first used at {first}");
            }
        }
        return map;
    }

    private ConfigNode ReadScalar(Scalar scalar, string where, string path)
    {
        if (scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null" or "Null" or "NULL")
        {
            return new ConfigScalar(null, where);
        }
        return Expand(scalar.Value, where, path) is { } text
            ? new ConfigScalar(text, where)
            : new ConfigReported(where);
    }

    /// <summary>Fills in <c>${NAME}</c> and <c>${NAME:-default}</c>; <c>$${</c> is a plain <c>${</c>.</summary>
    /// <returns>Null when that cannot be done, which is reported.</returns>
    private string? Expand(string text, string where, string path)
    {
        var result = new StringBuilder();
        while (true)
        {
            var start = text.IndexOf("${", StringComparison.Ordinal);
            if (start < 0)
            {
                return result.Append(text).ToString();
            }
            if (start > 0 && text[start - 1] == '$')
            {
                result.Append(text, 0, start).Append('{');
                text = text[(start + 2)..];
                continue;
            }
            var end = text.IndexOf('}', start);
            if (end < 0)
            {
                problems.Add(where, path, "${ without }");
                return null;
            }
            var parts = text[(start + 2)..end].Split(":-", 2);
            if (Lookup(parts[0], parts.ElementAtOrDefault(1), where, path) is not { } value)
            {
                return null;
            }
            result.Append(text, 0, start).Append(value);
            text = text[(end + 1)..];
        }
    }

    private string? Lookup(string name, string? fallback, string where, string path)
    {
        // As in a shell, ":-" also stands in for an empty value.
        if (environment.TryGetValue(name, out var value) && (value.Length > 0 || fallback is null))
        {
            return value;
        }
        if (fallback is null)
        {
            problems.Add(
                where, path, $"environment variable {name} is not set (\"${{{name}:-default}}\" gives a default)");
        }
        return fallback;
    }
}
