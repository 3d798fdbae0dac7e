namespace TaskService.Configuration;

/// <summary>A value of the configuration before it has a type, with the place that it came from.</summary>
/// <param name="Where">Such as <c>configs/a.yaml:12</c>, <c>environment TASKSERVICE__SERVICE__PORT</c> or
/// <c>--port</c>.</param>
internal abstract record ConfigNode(string Where);

/// <param name="Text">As written; null for <c>key:</c> without a value, <c>~</c> and <c>null</c>.</param>
internal record ConfigScalar(string? Text, string Where) : ConfigNode(Where);

/// <summary>A value that is ignored with a warning where it has not the type that is asked for.</summary>
/// <param name="Below">What counts then; null for the default.</param>
internal sealed record ConfigHint(string Text, string Where, ConfigNode? Below) : ConfigScalar(Text, Where);

/// <summary>A value that cannot be used, as was reported already; it counts as not given.</summary>
internal sealed record ConfigReported(string Where) : ConfigNode(Where);

internal sealed record ConfigList(IReadOnlyList<ConfigNode> Items, string Where) : ConfigNode(Where);

/// <summary>Members in the order of the file. Layers above the file are written into it.</summary>
internal sealed record ConfigMap(OrderedDictionary<string, ConfigNode> Members, string Where) : ConfigNode(Where)
{
    public ConfigMap(string where)
        : this(new OrderedDictionary<string, ConfigNode>(StringComparer.Ordinal), where)
    {
    }
}
