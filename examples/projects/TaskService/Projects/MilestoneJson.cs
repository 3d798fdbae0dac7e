using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>A milestone as clients see it; its project is in the path. What is null is not there.</summary>
internal sealed record MilestoneJson
{
    /// <summary>Decides what is read, written and patched.</summary>
    public static JsonMembers<MilestoneJson> Members { get; } = new(
        () => new MilestoneJson(),
        new JsonText<MilestoneJson>(
            "title", json => json.Title, (json, text) => json.Title = text, Milestone.TitleProblem)
        {
            IsRequired = true,
        },
        new JsonNumber<MilestoneJson>(
            "due_date", json => json.DueDate, (json, due) => json.DueDate = due, UnixSeconds.Problem),
        new JsonFlag<MilestoneJson>("done", json => json.Done, (json, flag) => json.Done = flag));

    public string? Title { get; set; }

    /// <summary>Unix seconds.</summary>
    public double? DueDate { get; set; }

    public bool? Done { get; set; }

    public static MilestoneJson FromDomain(Milestone milestone) => new()
    {
        Title = milestone.Title,
        DueDate = milestone.DueDate is { } due ? UnixSeconds.FromTime(due) : null,
        Done = milestone.Done,
    };

    /// <summary>The milestone, with defaults for what is not there.</summary>
    /// <remarks>Only for what was read without violations: reading has checked every rule.</remarks>
    public Milestone ToDomain(string projectId) => new()
    {
        ProjectId = projectId,
        Title = Title!,
        DueDate = DueDate is { } due ? UnixSeconds.ToTime(due) : null,
        Done = Done ?? false,
    };

    /// <summary>Applies a patch to a milestone.</summary>
    public static Milestone Apply(JsonPatch<MilestoneJson> patch, Milestone milestone)
    {
        var json = FromDomain(milestone);
        patch.ApplyTo(json);
        return json.ToDomain(milestone.ProjectId);
    }

    public void Write(Utf8JsonWriter writer) => Members.Write(writer, this);
}
