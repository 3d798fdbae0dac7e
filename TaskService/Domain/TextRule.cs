using System.Runtime.CompilerServices;

namespace TaskService.Domain;

/// <summary>
/// Validates texts. Every method returns the problem, in words that follow the name of the field; null for none.
/// </summary>
internal static class TextRule
{
    /// <summary>Validates a text of 1 to <paramref name="charactersMax"/> Unicode code points.</summary>
    public static string? RequiredProblem(string text, int charactersMax) =>
        text.Length == 0 ? "must not be empty" : Problem(text, charactersMax);

    /// <summary>Validates a text of up to <paramref name="charactersMax"/> Unicode code points.</summary>
    public static string? Problem(string text, int charactersMax)
    {
        // A text has at most as many code points as UTF-16 units, so the count is only taken near the limit.
        var tooLong = text.Length > charactersMax && text.EnumerateRunes().Count() > charactersMax;
        return tooLong ? $"must have at most {charactersMax} characters" : CharacterProblem(text);
    }

    /// <summary>Validates the characters of a text: some engines cannot store all.</summary>
    public static string? CharacterProblem(ReadOnlySpan<char> text)
    {
        if (text.Contains('\0'))
        {
            return "must not hold U+0000";
        }
        for (var rest = text; ;)
        {
            var at = rest.IndexOfAnyInRange('\ud800', '\udfff');
            if (at < 0)
            {
                return null;
            }
            if (at + 1 == rest.Length || !char.IsSurrogatePair(rest[at], rest[at + 1]))
            {
                return "must not hold a lone surrogate";
            }
            rest = rest[(at + 2)..];
        }
    }

    /// <summary>For the setter of a property.</summary>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentException">There is a problem.</exception>
    public static T Checked<T>(T value, string? problem, [CallerMemberName] string name = "") =>
        problem is null ? value : throw new ArgumentException($"{name} {problem}", name);
}
