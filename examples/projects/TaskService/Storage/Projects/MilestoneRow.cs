using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.Projects;

/// <summary>A milestone as an engine keeps it.</summary>
internal sealed record MilestoneRow : IRow<Milestone, MilestoneRow>
{
    public static Entity<Milestone> Entity { get; } = new Entity<Milestone, MilestoneRow>(
        "milestones",
        () => MilestoneRowJson.File.MilestoneRow,
        Column.Text<MilestoneRow>("project_id", row => row.ProjectId, (row, value) => row.ProjectId = value),
        Column.Flag<MilestoneRow>("done", row => row.Done, (row, value) => row.Done = value),
        Column.OptionalNumber<MilestoneRow>(
            "due_date", row => row.DueDateMicroseconds, (row, value) => row.DueDateMicroseconds = value),
        Column.Text<MilestoneRow>("title", row => row.Title, (row, value) => row.Title = value))
    {
        Filters =
        [
            Filter.Equal<Milestone, MilestoneQuery>("project_id", query => query.ProjectId),
            Filter.Equal<Milestone, MilestoneQuery>("done", query => query.Done),
            Filter.Below<Milestone, MilestoneQuery>(
                "due_date", query => query.DueBefore is { } bound ? Microseconds.FirstFrom(bound) : null),
        ],
        References = [new("project_id", ProjectRow.Entity.Table, milestone => milestone.ProjectId)],
    };

    [JsonPropertyName("project_id")]
    [JsonRequired]
    public string ProjectId { get; set; } = "";

    [JsonPropertyName("title")]
    [JsonRequired]
    public string Title { get; set; } = "";

    /// <summary>Microseconds since 1970; in a file, Unix seconds.</summary>
    [JsonPropertyName("due_date")]
    [JsonConverter(typeof(UnixSecondsConverter))]
    public long? DueDateMicroseconds { get; set; }

    [JsonPropertyName("done")]
    public bool Done { get; set; }

    public static MilestoneRow FromDomain(Milestone value) => new()
    {
        ProjectId = value.ProjectId,
        Title = value.Title,
        DueDateMicroseconds = value.DueDate is { } due ? Microseconds.FromTime(due) : null,
        Done = value.Done,
    };

    public bool TryToDomain([NotNullWhen(true)] out Milestone? value, [NotNullWhen(false)] out string? problem)
    {
        problem = Milestone.TitleProblem(Title) is { } title ? $"title {title}"
            : Microseconds.Problem(DueDateMicroseconds) is { } due ? $"due_date {due}"
            : null;
        value = problem is not null ? null : new Milestone
        {
            ProjectId = ProjectId,
            Title = Title,
            DueDate = DueDateMicroseconds is { } time ? Microseconds.ToTime(time) : null,
            Done = Done,
        };
        return value is not null;
    }
}

/// <summary>A milestone in its file.</summary>
[JsonSerializable(typeof(MilestoneRow))]
internal sealed partial class MilestoneRowJson : JsonSerializerContext
{
    public static MilestoneRowJson File { get; } = new(RowFile.Options());
}
