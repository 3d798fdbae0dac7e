using TaskService.Domain;

namespace TaskService.Api;

/// <summary>A JSON merge patch of a task (RFC 7396): what is given replaces, null removes, the rest stays.</summary>
/// <param name="Given">The members that are given; those that are given as null are null here.</param>
/// <param name="Members">Which members are given.</param>
internal sealed record TaskPatch(TaskJson Given, TaskMembers Members)
{
    public TaskEntry Apply(TaskEntry entry)
    {
        var task = TaskJson.FromDomain(entry);
        return new TaskJson
        {
            Title = Has(TaskMembers.Title) ? Given.Title : task.Title,
            Description = Has(TaskMembers.Description) ? Given.Description : task.Description,
            Priority = Has(TaskMembers.Priority) ? Given.Priority : task.Priority,
            Completed = Has(TaskMembers.Completed) ? Given.Completed : task.Completed,
            DueDate = Has(TaskMembers.DueDate) ? Given.DueDate : task.DueDate,
        }.ToDomain();
    }

    private bool Has(TaskMembers member) => (Members & member) != 0;
}

/// <summary>Members of a document.</summary>
[Flags]
internal enum TaskMembers
{
    None = 0,
    Title = 1,
    Description = 2,
    Priority = 4,
    Completed = 8,
    DueDate = 16,
}
