using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace TaskService.Configuration;

/// <summary>Texts as YAML writes them.</summary>
internal static partial class YamlText
{
    /// <summary>As YAML writes a text, so that it is read as this text again.</summary>
    public static string Quoted(string text)
    {
        if (PlainText().IsMatch(text) && !OtherThanText().IsMatch(text))
        {
            return text;
        }
        return $"\"{string.Concat(ConfigProblems.WithoutUserInfo(text).EnumerateRunes().Select(Escaped))}\"";
    }

    private static string Escaped(Rune rune) => rune.Value switch
    {
        '"' or '\\' => $"\\{rune}",
        '\n' => @"\n",
        '\t' => @"\t",
        _ when IsPrintable(rune) => rune.ToString(),
        <= 0xff => $"\\x{rune.Value:x2}",
        <= 0xffff => $"\\u{rune.Value:x4}",
        _ => $"\\U{rune.Value:x8}",
    };

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse);

    [GeneratedRegex(@"^[A-Za-z0-9_./][A-Za-z0-9_./-]*\z")]
    private static partial Regex PlainText();

    // What YAML 1.1 takes for null, a boolean, a number or a date.
    [GeneratedRegex(@"^(null|true|false|yes|no|on|off|y|n|\.nan|\.inf|(\d[\d_]*(\.\d*)?|\.\d+)(e-?\d+)?"
        + @"|0[xo][\da-f_]+|\d+-\d+-\d+)\z", RegexOptions.IgnoreCase)]
    private static partial Regex OtherThanText();
}
