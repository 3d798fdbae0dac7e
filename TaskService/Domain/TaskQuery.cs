namespace TaskService.Domain;

/// <summary>Filters for a list of tasks.</summary>
internal sealed record TaskQuery : Query<TaskEntry>
{
    public static readonly TaskQuery All = new();

    public bool? Completed { get; init; }

    public TaskPriority? Priority { get; init; }

    /// <summary>Only tasks that are due before this time; those without a due date are not.</summary>
    public DateTimeOffset? DueBefore { get; init; }

    public override bool Matches(TaskEntry value) =>
        (Completed is null || value.Completed == Completed)
        && (Priority is null || value.Priority == Priority)
        && (DueBefore is null || value.DueDate < DueBefore);
}
