namespace TaskService.Domain;

/// <summary>Filters for a list of tasks, in id order. A property that is null does not restrict.</summary>
internal sealed record TaskQuery
{
    /// <summary>The maximum page size.</summary>
    public const int LimitItemsMax = 10_000;

    public static readonly TaskQuery All = new();

    /// <summary>Only ids after this one, compared as ordinal text; it need not exist.</summary>
    public string? After { get; init; }

    public bool? Completed { get; init; }

    public TaskPriority? Priority { get; init; }

    /// <summary>Only tasks that are due before this time; those without a due date are not.</summary>
    public DateTimeOffset? DueBefore { get; init; }

    /// <summary>Whether the filters match this task. The engine applies <see cref="After"/> itself.</summary>
    public bool Matches(TaskEntry task) =>
        (Completed is null || task.Completed == Completed)
        && (Priority is null || task.Priority == Priority)
        && (DueBefore is null || task.DueDate < DueBefore);
}
