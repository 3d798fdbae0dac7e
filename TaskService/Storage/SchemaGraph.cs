using System.Text;

namespace TaskService.Storage;

/// <summary>Writes entities as a graph in DOT, the language of Graphviz (https://graphviz.org/doc/info/lang.html).
/// </summary>
internal static class SchemaGraph
{
    /// <summary>A box for each table, with its columns, and an edge for each reference, to the parent.</summary>
    public static string ToDot(IEnumerable<Entity> entities)
    {
        var graph = new StringBuilder("digraph {\n  rankdir=BT\n");
        foreach (var entity in entities)
        {
            var columns = entity.Columns.Select(column => column.Name + (column.IsNullable ? " [null]" : ""));
            var lines = columns.Prepend("id").Prepend("").Prepend(entity.Table).Select(Escaped);
            graph.Append($"  \"{Escaped(entity.Table)}\" [label=\"{string.Join("\\n", lines)}\", shape=box]\n");
            foreach (var (column, table) in entity.Parents)
            {
                graph.Append(
                    $"  \"{Escaped(entity.Table)}\" -> \"{Escaped(table)}\" [label=\"{Escaped(column)}\"]\n");
            }
        }
        return graph.Append("}\n").ToString();
    }

    private static string Escaped(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
}
