namespace TaskService.Domain;

/// <summary>What a task says. A value: entries with the same content are equal. One that breaks a rule cannot be made.</summary>
/// <exception cref="ArgumentException">A rule is broken; who maps into the domain asks the rules first.</exception>
internal sealed record TaskEntry
{
    public const int TitleCharactersMax = 1_000;
    public const int DescriptionCharactersMax = 10_000;

    /// <summary>1 to <see cref="TitleCharactersMax"/> Unicode code points.</summary>
    public required string Title { get; init => field = Checked(value, TitleProblem(value)); }

    /// <summary>Up to <see cref="DescriptionCharactersMax"/> Unicode code points; null when there is none.</summary>
    public string? Description { get; init => field = Checked(value, value is null ? null : DescriptionProblem(value)); }

    public TaskPriority Priority { get; init; } = TaskPriority.None;

    public bool Completed { get; init; }

    /// <summary>UTC, in whole microseconds (the rest is cut off); null when there is none.</summary>
    public DateTimeOffset? DueDate
    {
        get;
        init => field = value?.ToUniversalTime().AddTicks(-(value.Value.Ticks % TimeSpan.TicksPerMicrosecond));
    }

    /// <summary>What is wrong with a title, in words that follow its name; null when nothing is.</summary>
    public static string? TitleProblem(string title) =>
        title.Length == 0 ? "must not be empty" : TextProblem(title, TitleCharactersMax);

    /// <summary>What is wrong with a description, in words that follow its name; null when nothing is.</summary>
    public static string? DescriptionProblem(string description) => TextProblem(description, DescriptionCharactersMax);

    /// <summary>What no text of a task may hold, because not every engine can keep it; null when it is fine.</summary>
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

    private static string? TextProblem(string text, int charactersMax)
    {
        // A text has at most as many code points as UTF-16 units, so the count is only taken near the limit.
        var tooLong = text.Length > charactersMax && text.EnumerateRunes().Count() > charactersMax;
        return tooLong ? $"must have at most {charactersMax} characters" : CharacterProblem(text);
    }

    private static T Checked<T>(T value, string? problem, [System.Runtime.CompilerServices.CallerMemberName] string name = "") =>
        problem is null ? value : throw new ArgumentException($"{name} {problem}", name);
}
