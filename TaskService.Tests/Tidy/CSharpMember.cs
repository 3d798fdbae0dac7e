using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>A member of a type, or what stands in its place in a file without types.</summary>
/// <param name="Attributes">All of them.</param>
/// <param name="Text">From the first word after the attributes to the closing brace or semicolon.</param>
/// <param name="Start">Where the text begins.</param>
/// <param name="IsField">Whether it is a field with a value.</param>
internal sealed record CSharpMember(string Attributes, string Text, int Start, bool IsField)
{
    // Not the class of "where T : class".
    private static readonly Regex TypeHeader =
        new(@"(?<![:,]\s*)\b(class|struct|interface|record|enum|namespace)\s+[\w@]|\bextension\s*[(<]");

    private static readonly Regex MethodName = new(@"(\w+)(<[\w, ]*>)?\(");

    public string Name =>
        MethodName.Match(Text) is { Success: true } method ? method.Groups[1].Value : Text.Split('\n')[0];

    public int Lines => Text.Count(c => c == '\n') + 1;

    /// <param name="code">Without comments and the content of strings.</param>
    public static IEnumerable<CSharpMember> In(string code)
    {
        for (var at = SkipSpace(code, 0); at < code.Length; at = SkipSpace(code, at))
        {
            if (code[at] == '}')
            {
                at++;
                continue;
            }
            var start = SkipAttributes(code, at);
            var (end, isMember, isField) = FindEnd(code, start);
            if (isMember)
            {
                yield return new CSharpMember(code[at..start], code[start..end], start, isField);
            }
            at = end;
        }
    }

    // A directive takes the rest of its line.
    private static int SkipSpace(string code, int at)
    {
        while (at < code.Length && (char.IsWhiteSpace(code[at]) || code[at] == '#'))
        {
            at = code[at] == '#' && code.IndexOf('\n', at) is > 0 and var end ? end : at + 1;
        }
        return at;
    }

    private static int SkipAttributes(string code, int at)
    {
        while (at < code.Length && code[at] == '[')
        {
            for (var depth = 0; at < code.Length; at++)
            {
                depth += code[at] == '[' ? 1 : code[at] == ']' ? -1 : 0;
                if (depth == 0)
                {
                    break;
                }
            }
            at = SkipSpace(code, Math.Min(at + 1, code.Length));
        }
        return at;
    }

    private static (int End, bool IsMember, bool IsField) FindEnd(string code, int start)
    {
        var depth = 0;
        var equals = -1;
        for (var i = start; i < code.Length; i++)
        {
            var isField = equals >= 0 && code[equals + 1] != '>';
            switch (code[i])
            {
                case '{' when depth == 0 && equals < 0 && TypeHeader.IsMatch(code[start..i]):
                    return (i + 1, false, false);
                case '}' when depth == 0:
                    // The names of an enum end with it.
                    return (i, false, false);
                case '}' when depth == 1 && equals < 0:
                case ';' when depth == 0:
                    return (i + 1, true, isField);
                case '(' or '[' or '{':
                    depth++;
                    break;
                case ')' or ']' or '}':
                    depth--;
                    break;
                case '=' when depth == 0 && equals < 0 && IsAssignmentOrArrow(code, i):
                    equals = i;
                    break;
                default:
                    break;
            }
        }
        return (code.Length, false, false);
    }

    // Of operators, the name holds such a sign, too.
    private static bool IsAssignmentOrArrow(string code, int at) =>
        code[at - 1] is not ('=' or '!' or '<' or '>') && code[at + 1] != '=';
}
