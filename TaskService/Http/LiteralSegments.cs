using Microsoft.AspNetCore.Routing.Patterns;

namespace TaskService.Http;

/// <summary>The literals of a route pattern, or of several that a path can match at once.</summary>
internal sealed class LiteralSegments
{
    // A segment that is all literal has one part; one such as "{name}.json" has several; a parameter has none.
    private readonly string[]?[] segments;

    private readonly int literals;

    public LiteralSegments(RoutePattern pattern)
        : this(Array.ConvertAll([.. pattern.PathSegments], PartsOf))
    {
    }

    private LiteralSegments(string[]?[] segments)
    {
        this.segments = segments;
        foreach (var segment in segments)
        {
            literals += segment is null ? 0 : 1;
        }
    }

    /// <summary>
    /// All combinations in which paths can have these literals, the most specific first: of <c>/a/{x}/c</c> and
    /// <c>/a/b/{y}</c> there is <c>/a/b/c</c> as well.
    /// </summary>
    public static List<LiteralSegments> Combine(List<LiteralSegments> patterns)
    {
        var all = new List<LiteralSegments>();
        patterns.ForEach(Add);
        for (var one = 0; one < all.Count; one++)
        {
            for (var other = 0; other < one; other++)
            {
                if (all[one].MergeWith(all[other]) is { } merged)
                {
                    Add(merged);
                }
            }
        }
        all.Sort(static (one, other) => other.literals - one.literals);
        return all;

        void Add(LiteralSegments path)
        {
            if (!all.Exists(path.IsSameAs))
            {
                all.Add(path);
            }
        }
    }

    /// <summary>Whether every path that has these literals has those, too.</summary>
    public bool Includes(LiteralSegments other)
    {
        for (var at = 0; at < other.segments.Length; at++)
        {
            if (other.segments[at] is { } segment && !IsSame(segment, SegmentAt(at)))
            {
                return false;
            }
        }
        return true;
    }

    public bool IsSameAs(LiteralSegments other) => Includes(other) && other.Includes(this);

    /// <summary>Whether a path, which matches but for case, has these literals.</summary>
    public bool AreIn(ReadOnlySpan<char> path)
    {
        foreach (var segment in segments)
        {
            path = path.IsEmpty ? path : path[1..];
            var end = path.IndexOf('/');
            var text = end < 0 ? path : path[..end];
            if (segment is not null && !AreIn(segment, text))
            {
                return false;
            }
            path = end < 0 ? default : path[end..];
        }
        return true;
    }

    private static bool AreIn(string[] parts, ReadOnlySpan<char> text)
    {
        if (parts is [{ } only])
        {
            return text.SequenceEqual(only);
        }
        foreach (var part in parts)
        {
            var at = text.IndexOf(part, StringComparison.Ordinal);
            if (at < 0)
            {
                return false;
            }
            text = text[(at + part.Length)..];
        }
        return true;
    }

    private static string[]? PartsOf(RoutePatternPathSegment segment)
    {
        var parts = new string[segment.Parts.Count];
        var length = 0;
        for (var at = 0; at < parts.Length; at++)
        {
            parts[at] = segment.Parts[at] switch
            {
                RoutePatternLiteralPart literal => literal.Content,
                RoutePatternSeparatorPart separator => separator.Content,
                _ => "",
            };
            length += parts[at].Length;
        }
        return length == 0 ? null : parts;
    }

    private static bool IsSame(string[]? one, string[]? other) =>
        one is null ? other is null : other is not null && one.AsSpan().SequenceEqual(other);

    private string[]? SegmentAt(int at) => at < segments.Length ? segments[at] : null;

    /// <returns>Null when no path has both.</returns>
    private LiteralSegments? MergeWith(LiteralSegments other)
    {
        var merged = new string[]?[Math.Max(segments.Length, other.segments.Length)];
        for (var at = 0; at < merged.Length; at++)
        {
            var (one, two) = (SegmentAt(at), other.SegmentAt(at));
            if (one is not null && two is not null && !IsSame(one, two))
            {
                return null;
            }
            merged[at] = one ?? two;
        }
        return new LiteralSegments(merged);
    }
}
