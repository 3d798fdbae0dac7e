namespace TaskService.Domain;

/// <summary>The content of a milestone of a project.</summary>
/// <exception cref="ArgumentException">A rule is broken; mappings into the domain validate first.</exception>
internal sealed record Milestone : IContent
{
    public const int TitleCharactersMax = 200;

    /// <summary>The project that it belongs to; it never changes.</summary>
    public required string ProjectId { get; init; }

    /// <summary>1 to <see cref="TitleCharactersMax"/> Unicode code points.</summary>
    public required string Title { get; init => field = TextRule.Checked(value, TitleProblem(value)); }

    /// <summary>UTC, in whole microseconds (the rest is cut off); null when there is none.</summary>
    public DateTimeOffset? DueDate { get; init => field = value is { } due ? UnixSeconds.Cut(due) : null; }

    public bool Done { get; init; }

    /// <summary>Validates a title: the problem, in words that follow the name of the field; null for none.</summary>
    public static string? TitleProblem(string title) => TextRule.RequiredProblem(title, TitleCharactersMax);

    public ContentVersion ComputeVersion()
    {
        var hash = new ContentHash(ProjectId, Title);
        hash.Add(Done);
        hash.Add(DueDate?.UtcTicks ?? -1);
        return hash.End();
    }
}

/// <summary>Filters for a list of milestones.</summary>
internal sealed record MilestoneQuery : Query<Milestone>
{
    public string? ProjectId { get; init; }

    public bool? Done { get; init; }

    /// <summary>Only milestones that are due before this time; those without a due date are not.</summary>
    public DateTimeOffset? DueBefore { get; init; }

    public override bool Matches(Milestone value) =>
        (ProjectId is null || value.ProjectId == ProjectId)
        && (Done is null || value.Done == Done)
        && (DueBefore is null || value.DueDate < DueBefore);
}
