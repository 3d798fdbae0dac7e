namespace TaskService.Domain;

/// <summary>The content of a project.</summary>
/// <exception cref="ArgumentException">A rule is broken; mappings into the domain validate first.</exception>
internal sealed record Project : IContent
{
    public const int NameCharactersMax = 200;

    /// <summary>1 to <see cref="NameCharactersMax"/> Unicode code points.</summary>
    public required string Name { get; init => field = TextRule.Checked(value, NameProblem(value)); }

    public bool Archived { get; init; }

    /// <summary>Set by the service; UTC, in whole microseconds (the rest is cut off).</summary>
    public required DateTimeOffset Created { get; init => field = UnixSeconds.Cut(value); }

    /// <summary>Validates a name: the problem, in words that follow the name of the field; null for none.</summary>
    public static string? NameProblem(string name) => TextRule.RequiredProblem(name, NameCharactersMax);

    public ContentVersion ComputeVersion()
    {
        var hash = new ContentHash(Name);
        hash.Add(Archived);
        hash.Add(Created.UtcTicks);
        return hash.End();
    }
}

/// <summary>Filters for a list of projects.</summary>
internal sealed record ProjectQuery : Query<Project>
{
    public bool? Archived { get; init; }

    public override bool Matches(Project value) => Archived is null || value.Archived == Archived;
}
