using System.Runtime.CompilerServices;

namespace TaskService.Telemetry.Operations;

/// <summary>The names of operations, which are paths: they determine the parent.</summary>
internal static class OperationName
{
    // Names are constants in code, and few.
    private static readonly BoundedCache<(string Type, string Name), string> Joined = new(
        1_000, static pair => Join(pair.Type, pair.Name));

    private static readonly JoinedName?[] Recent = new JoinedName?[64];

    /// <summary>The type and the parent of an operation that starts under a name.</summary>
    /// <param name="name">
    /// <c>.x</c> is a child of the current operation, <c>^.x</c> of the outermost one; another name is the type itself,
    /// a child of the open operation whose type begins it, if there is one.
    /// </param>
    /// <param name="current">Null outside of any.</param>
    public static (string Type, Operation? Parent) Resolve(string name, Operation? current)
    {
        if (name.StartsWith("^.", StringComparison.Ordinal))
        {
            (name, current) = (name[1..], Outermost(current));
        }
        if (!name.StartsWith('.'))
        {
            return (name, Within(name, current));
        }
        return current is null ? (name[1..], null) : (JoinOnce(current.Type, name), current);
    }

    // Types and names are few objects, each the same every time: to compare references costs a fraction of hashing
    // both texts. Another pair takes the place of one that was there.
    private static string JoinOnce(string type, string name)
    {
        var hash = RuntimeHelpers.GetHashCode(type) ^ RuntimeHelpers.GetHashCode(name);
        ref var place = ref Recent[hash % Recent.Length];
        if (Volatile.Read(ref place) is { } recent && ReferenceEquals(recent.Type, type)
            && ReferenceEquals(recent.Name, name))
        {
            return recent.Result;
        }
        var joined = new JoinedName(type, name, Joined[(type, name)]);
        Volatile.Write(ref place, joined);
        return joined.Result;
    }

    public static Operation? Outermost(Operation? operation)
    {
        while (operation?.Enclosing is { } enclosing)
        {
            operation = enclosing;
        }
        return operation;
    }

    /// <summary>The innermost open operation of a type.</summary>
    public static Operation? Open(string type, Operation? operation)
    {
        while (operation is not null && !(Ends(operation.Type, type) && !operation.HasEnded))
        {
            operation = operation.Enclosing;
        }
        return operation;
    }

    /// <summary>
    /// Whether a type is this name, or ends with it behind a dot. A dot before the name may be left out.
    /// </summary>
    public static bool Ends(string type, ReadOnlySpan<char> name)
    {
        var bare = name.TrimStart('.');
        return type.AsSpan().EndsWith(bare, StringComparison.Ordinal)
            && (type.Length == bare.Length || type[type.Length - bare.Length - 1] == '.');
    }

    /// <summary>The open operation with the longest type of which the name is a continuation.</summary>
    private static Operation? Within(string name, Operation? operation)
    {
        Operation? found = null;
        for (; operation is not null; operation = operation.Enclosing)
        {
            var type = operation.Type;
            if (!operation.HasEnded && name.StartsWith(type, StringComparison.Ordinal) && name.Length > type.Length
                && name[type.Length] == '.' && type.Length > (found?.Type.Length ?? 0))
            {
                found = operation;
            }
        }
        return found;
    }

    /// <summary>An overlap of the end of the type and the start of the name is kept once, so that recursion does not
    /// grow the type.</summary>
    private static string Join(string type, string name)
    {
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
        {
            if (Ends(type, name.AsSpan(0, end)))
            {
                return type + name[end..];
            }
        }
        return type + name;
    }

    private sealed record JoinedName(string Type, string Name, string Result);
}
