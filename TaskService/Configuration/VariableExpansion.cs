using System.Buffers;
using System.Text;

namespace TaskService.Configuration;

/// <summary>
/// Fills in <c>${NAME}</c> and <c>${NAME:-default}</c> as Docker Compose does
/// (https://docs.docker.com/reference/compose-file/interpolation/): a default may hold further variables, and braces
/// when they are balanced. <c>$${</c> is a plain <c>${</c>.
/// </summary>
internal static class VariableExpansion
{
    private const int DepthMax = 20;

    // Other operators of shells, which would be taken for a part of the name.
    private static readonly SearchValues<char> NotInNames = SearchValues.Create(":?+-{}$");

    /// <summary>Fills in the variables of a text.</summary>
    /// <exception cref="FormatException">A variable is not set or not well-formed; the message says which.</exception>
    public static string Expand(string text, IReadOnlyDictionary<string, string> environment) =>
        Expand(text, environment, 0);

    /// <summary>The opposite: a text that expands to <paramref name="text"/>.</summary>
    public static string Escape(string text) => text.Replace("${", "$${", StringComparison.Ordinal);

    private static string Expand(string text, IReadOnlyDictionary<string, string> environment, int depth)
    {
        if (depth > DepthMax)
        {
            throw new FormatException($"${{ is nested more than {DepthMax} levels deep");
        }
        var result = new StringBuilder();
        var at = 0;
        while (text.IndexOf("${", at, StringComparison.Ordinal) is >= 0 and var start)
        {
            if (start > at && text[start - 1] == '$')
            {
                result.Append(text, at, start - at).Append('{');
                at = start + 2;
                continue;
            }
            var end = ClosingBrace(text, start + 1);
            result.Append(text, at, start - at).Append(Value(text[(start + 2)..end], environment, depth));
            at = end + 1;
        }
        return result.Append(text, at, text.Length - at).ToString();
    }

    private static int ClosingBrace(string text, int opening)
    {
        var open = 0;
        for (var i = opening; i < text.Length; i++)
        {
            open += text[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (open == 0)
            {
                return i;
            }
        }
        throw new FormatException("${ without } (braces in a default must be balanced)");
    }

    private static string Value(string expression, IReadOnlyDictionary<string, string> environment, int depth)
    {
        var parts = expression.Split(":-", 2);
        var (name, fallback) = (parts[0], parts.ElementAtOrDefault(1));
        if (name.Length == 0 || name.AsSpan().ContainsAny(NotInNames))
        {
            throw new FormatException($"${{{name}}} is not understood: write ${{NAME}} or ${{NAME:-default}}");
        }
        // As in a shell, ":-" also stands in for an empty value.
        if (environment.TryGetValue(name, out var value) && (value.Length > 0 || fallback is null))
        {
            return value;
        }
        return fallback is not null
            ? Expand(fallback, environment, depth + 1)
            : throw new FormatException(
                $"environment variable {name} is not set (\"${{{name}:-default}}\" gives a default)");
    }
}
