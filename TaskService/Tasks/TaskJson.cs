using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>A task as clients see it: <c>schema/todoList-v1.0.json</c>. What is null is not there.</summary>
internal sealed record TaskJson
{
    // In the order of the enum.
    private static readonly string[] Priorities = ["urgent", "high", "normal", "low", "none"];

    /// <summary>Decides what is read, written and patched.</summary>
    public static JsonMembers<TaskJson> Members { get; } = new(
        () => new TaskJson(),
        new JsonText<TaskJson>(
            "priority", json => json.Priority, (json, text) => json.Priority = text, PriorityProblem),
        new JsonText<TaskJson>("title", json => json.Title, (json, text) => json.Title = text, TaskEntry.TitleProblem)
        {
            IsRequired = true,
        },
        new JsonText<TaskJson>(
            "description", json => json.Description, (json, text) => json.Description = text,
            TaskEntry.DescriptionProblem),
        new JsonFlag<TaskJson>("completed", json => json.Completed, (json, flag) => json.Completed = flag),
        new JsonNumber<TaskJson>(
            "due_date", json => json.DueDate, (json, due) => json.DueDate = due, UnixSeconds.Problem));

    /// <summary>The rule of a priority, in words that follow its name.</summary>
    public static string PriorityMessage { get; } = $"must be one of {string.Join(", ", Priorities)}";

    public string? Title { get; set; }

    public string? Description { get; set; }

    public string? Priority { get; set; }

    public bool? Completed { get; set; }

    /// <summary>Unix seconds.</summary>
    public double? DueDate { get; set; }

    public static TaskJson FromDomain(TaskEntry task) => new()
    {
        Title = task.Title,
        Description = task.Description,
        Priority = NameOf(task.Priority),
        Completed = task.Completed,
        DueDate = task.DueDate is { } due ? UnixSeconds.FromTime(due) : null,
    };

    /// <summary>The task, with defaults for what is not there.</summary>
    /// <remarks>Only for what was read without violations: reading has checked every rule.</remarks>
    public TaskEntry ToDomain() => new()
    {
        Title = Title!,
        Description = Description,
        Priority = Priority is null ? TaskPriority.None : ParsePriority(Priority)!.Value,
        Completed = Completed ?? false,
        DueDate = DueDate is { } due ? UnixSeconds.ToTime(due) : null,
    };

    public void Write(Utf8JsonWriter writer) => Members.Write(writer, this);

    /// <summary>Applies a patch to a task.</summary>
    public static TaskEntry Apply(JsonPatch<TaskJson> patch, TaskEntry task)
    {
        var json = FromDomain(task);
        patch.ApplyTo(json);
        return json.ToDomain();
    }

    /// <returns>Null when there is no such priority.</returns>
    public static TaskPriority? ParsePriority(string text) =>
        Array.IndexOf(Priorities, text) is >= 0 and var index ? (TaskPriority)index : null;

    public static string NameOf(TaskPriority priority) => Priorities[(int)priority];

    private static string? PriorityProblem(string text) => ParsePriority(text) is null ? PriorityMessage : null;
}
