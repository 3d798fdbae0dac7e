namespace TaskService.Domain;

/// <summary>
/// The content of a task, a value: entries with the same content are equal. An entry that breaks a rule cannot be
/// constructed.
/// </summary>
/// <exception cref="ArgumentException">A rule is broken; mappings into the domain validate first.</exception>
internal sealed record TaskEntry : IContent
{
    public const int TitleCharactersMax = 1_000;
    public const int DescriptionCharactersMax = 10_000;

    // Ticks of DueDate, -1 for none: a third of the memory of a DateTimeOffset?.
    private readonly long dueTicks = -1;

    /// <summary>1 to <see cref="TitleCharactersMax"/> Unicode code points.</summary>
    public required string Title { get; init => field = TextRule.Checked(value, TitleProblem(value)); }

    /// <summary>Up to <see cref="DescriptionCharactersMax"/> Unicode code points; null when there is none.</summary>
    public string? Description
    {
        get;
        init => field = TextRule.Checked(value, value is null ? null : DescriptionProblem(value));
    }

    public TaskPriority Priority { get; init; } = TaskPriority.None;

    public bool Completed { get; init; }

    /// <summary>UTC, in whole microseconds (the rest is cut off); null when there is none.</summary>
    public DateTimeOffset? DueDate
    {
        get => dueTicks < 0 ? null : new DateTimeOffset(dueTicks, TimeSpan.Zero);
        init => dueTicks = value is { } due ? UnixSeconds.Cut(due).UtcTicks : -1;
    }

    /// <summary>Validates a title: the problem, in words that follow the name of the field; null for none.</summary>
    public static string? TitleProblem(string title) =>
        TextRule.RequiredProblem(title, TitleCharactersMax);

    /// <summary>Validates a description, as <see cref="TitleProblem"/> a title.</summary>
    public static string? DescriptionProblem(string description) =>
        TextRule.Problem(description, DescriptionCharactersMax);

    public ContentVersion ComputeVersion()
    {
        var hash = new ContentHash(Title, Description);
        hash.Add((byte)Priority);
        hash.Add(Completed);
        hash.Add(dueTicks);
        return hash.End();
    }
}
