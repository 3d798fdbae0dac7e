using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>
/// A C# file taken apart, so that a word in a comment or a string is not mistaken for code. Both parts have the length
/// and the lines of the file, and blanks for what is not theirs; strings keep their quotes and the code in their holes.
/// </summary>
internal sealed class CSharpText
{
    // Verbatim strings double their quotes; of the others, three or more quotes open a raw one.
    private static readonly Regex Opening = new("""\G(?:(?<verbatim>\$?@\$?)"|(?<dollars>\$*)(?<quotes>"{3,}|"))""");

    private readonly string text;
    private readonly char[] code;
    private readonly char[] comments;
    private int at;

    private CSharpText(string text)
    {
        this.text = text;
        code = [.. text.Select(c => char.IsWhiteSpace(c) ? c : ' ')];
        comments = [.. code];
        ReadCode(inHole: false);
        (Code, Comments) = (new string(code), new string(comments));
    }

    public string Code { get; }

    public string Comments { get; }

    public static CSharpText Read(string text) => new(text);

    private void ReadCode(bool inHole)
    {
        var depth = 0;
        // In a hole, a colon begins the format: a conditional expression stands in parentheses there.
        while (at < text.Length && !(inHole && depth == 0 && text[at] is '}' or ':'))
        {
            if (Sees("//"))
            {
                Copy(comments, LengthTo("\n", 2));
            }
            else if (Sees("/*"))
            {
                Copy(comments, LengthTo("*/", 2) + 2);
            }
            else if (text[at] == '\'')
            {
                ReadCharacter();
            }
            else if (Opening.Match(text, at) is { Success: true } opening)
            {
                ReadString(opening);
            }
            else
            {
                depth += text[at] is '(' or '[' or '{' ? 1 : text[at] is ')' or ']' or '}' ? -1 : 0;
                Copy(code, 1);
            }
        }
    }

    private void ReadCharacter()
    {
        Copy(code, 1);
        while (at < text.Length && text[at] is not ('\'' or '\n'))
        {
            at += text[at] == '\\' ? 2 : 1;
        }
        Copy(code, 1);
    }

    private void ReadString(Match opening)
    {
        var isVerbatim = opening.Groups["verbatim"].Success;
        var quotes = isVerbatim ? "\"" : opening.Groups["quotes"].Value;
        var isRaw = quotes.Length >= 3;
        var braces = new string('{', opening.Value.Count(c => c == '$'));
        Copy(code, opening.Length);
        while (at < text.Length && !(Sees(quotes) && !(isVerbatim && Sees("\"\""))))
        {
            if (braces.Length > 0 && Sees(braces) && (isRaw ? !Sees(braces + "{") : !Sees("{{")))
            {
                ReadHole(braces.Length);
            }
            else if (!isRaw && !isVerbatim && text[at] == '\n')
            {
                return;
            }
            else
            {
                at += IsPair(isRaw, isVerbatim, braces.Length > 0) ? 2 : 1;
            }
        }
        Copy(code, quotes.Length);
    }

    /// <summary>Whether two characters stand for one here.</summary>
    private bool IsPair(bool isRaw, bool isVerbatim, bool hasHoles) =>
        !isRaw && (isVerbatim ? Sees("\"\"") : text[at] == '\\' || (hasHoles && Sees("{{")));

    private void ReadHole(int braces)
    {
        at += braces;
        ReadCode(inHole: true);
        at += LengthTo("}", 0) + braces;
    }

    private bool Sees(string expected) => string.CompareOrdinal(text, at, expected, 0, expected.Length) == 0;

    private int LengthTo(string end, int skip)
    {
        var found = at + skip > text.Length ? -1 : text.IndexOf(end, at + skip, StringComparison.Ordinal);
        return (found < 0 ? text.Length : found) - at;
    }

    private void Copy(char[] target, int length)
    {
        for (var end = Math.Min(at + length, text.Length); at < end; at++)
        {
            target[at] = text[at];
        }
    }
}
