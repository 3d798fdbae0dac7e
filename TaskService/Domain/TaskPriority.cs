namespace TaskService.Domain;

/// <summary>The priority of a task, from highest to lowest; <see cref="None"/> is the default.</summary>
internal enum TaskPriority
{
    Urgent,
    High,
    Normal,
    Low,
    None,
}
