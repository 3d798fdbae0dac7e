namespace TaskService.Domain;

/// <summary>How much a task matters, from most to least; <see cref="None"/> when nobody said.</summary>
internal enum TaskPriority
{
    Urgent,
    High,
    Normal,
    Low,
    None,
}
