using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.Tasks;

/// <summary>
/// A task as an engine keeps it: plain columns, and members of a file in the order that the tutorial's files have.
/// </summary>
internal sealed record TaskRow : IRow<TaskEntry, TaskRow>
{
    public static Entity<TaskEntry> Entity { get; } = new Entity<TaskEntry, TaskRow>(
        "tasks",
        () => TaskRowJson.File.TaskRow,
        Column.Flag<TaskRow>("completed", row => row.Completed, (row, value) => row.Completed = value),
        Column.Text<TaskRow>("priority", row => row.Priority, (row, value) => row.Priority = value),
        Column.OptionalNumber<TaskRow>(
            "due_date", row => row.DueDateMicroseconds, (row, value) => row.DueDateMicroseconds = value),
        Column.Text<TaskRow>("title", row => row.Title, (row, value) => row.Title = value),
        Column.OptionalText<TaskRow>("description", row => row.Description, (row, value) => row.Description = value))
    {
        // Where the tutorial has its files.
        Directory = "",
        Filters =
        [
            Filter.Equal<TaskEntry, TaskQuery>("completed", query => query.Completed),
            Filter.Equal<TaskEntry, TaskQuery>("priority", query => query.Priority is { } one ? NameOf(one) : null),
            Filter.Below<TaskEntry, TaskQuery>(
                "due_date", query => query.DueBefore is { } bound ? Microseconds.FirstFrom(bound) : null),
        ],
    };

    [JsonPropertyName("priority")]
    public string? Priority { get; set; }

    [JsonPropertyName("title")]
    [JsonRequired]
    public string Title { get; set; } = "";

    [JsonPropertyName("description")]
    public string? Description { get; set; }

    [JsonPropertyName("completed")]
    public bool Completed { get; set; }

    /// <summary>Microseconds since 1970; in a file, Unix seconds.</summary>
    [JsonPropertyName("due_date")]
    [JsonConverter(typeof(UnixSecondsConverter))]
    public long? DueDateMicroseconds { get; set; }

    public static TaskRow FromDomain(TaskEntry task) => new()
    {
        Priority = NameOf(task.Priority),
        Title = task.Title,
        Description = task.Description,
        Completed = task.Completed,
        DueDateMicroseconds = task.DueDate is { } due ? Microseconds.FromTime(due) : null,
    };

    public bool TryToDomain([NotNullWhen(true)] out TaskEntry? value, [NotNullWhen(false)] out string? problem)
    {
        value = null;
        var priority = TaskPriority.None;
        problem = TaskEntry.TitleProblem(Title) is { } title ? $"title {title}"
            : Description is not null && TaskEntry.DescriptionProblem(Description) is { } text ? $"description {text}"
            : Priority is not null && !TryPriority(Priority, out priority) ? "priority is not known"
            : Microseconds.Problem(DueDateMicroseconds) is { } due ? $"due_date {due}"
            : null;
        if (problem is not null)
        {
            return false;
        }
        value = new TaskEntry
        {
            Title = Title,
            Description = Description,
            Priority = priority,
            Completed = Completed,
            DueDate = DueDateMicroseconds is { } time ? Microseconds.ToTime(time) : null,
        };
        return true;
    }

    private static string NameOf(TaskPriority priority) => priority.ToString().ToLowerInvariant();

    // Enum.TryParse takes numbers, lists and any case.
    private static bool TryPriority(string text, out TaskPriority priority) =>
        Enum.TryParse(text, ignoreCase: true, out priority)
        && string.Equals(priority.ToString(), text, StringComparison.OrdinalIgnoreCase)
        && !text.AsSpan().ContainsAnyInRange('A', 'Z');
}

/// <summary>A task in its file.</summary>
[JsonSerializable(typeof(TaskRow))]
internal sealed partial class TaskRowJson : JsonSerializerContext
{
    public static TaskRowJson File { get; } = new(RowFile.Options());
}
