using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>A project as clients see it. What is null is not there.</summary>
internal sealed record ProjectJson
{
    /// <summary>Decides what is read, written and patched.</summary>
    public static JsonMembers<ProjectJson> Members { get; } = new(
        () => new ProjectJson(),
        new JsonText<ProjectJson>("name", json => json.Name, (json, text) => json.Name = text, Project.NameProblem)
        {
            IsRequired = true,
        },
        new JsonFlag<ProjectJson>("archived", json => json.Archived, (json, flag) => json.Archived = flag),
        new JsonNumber<ProjectJson>(
            "created", json => json.Created, (json, time) => json.Created = time, UnixSeconds.Problem));

    public string? Name { get; set; }

    public bool? Archived { get; set; }

    /// <summary>Unix seconds; ignored when a client sends it, so that a representation can be sent back.</summary>
    public double? Created { get; set; }

    public static ProjectJson FromDomain(Project project) => new()
    {
        Name = project.Name,
        Archived = project.Archived,
        Created = UnixSeconds.FromTime(project.Created),
    };

    /// <summary>The project, with defaults for what is not there.</summary>
    /// <remarks>Only for what was read without violations: reading has checked every rule.</remarks>
    public Project ToDomain(DateTimeOffset created) => new()
    {
        Name = Name!,
        Archived = Archived ?? false,
        Created = created,
    };

    /// <summary>Applies a patch to a project.</summary>
    public static Project Apply(JsonPatch<ProjectJson> patch, Project project)
    {
        var json = FromDomain(project);
        patch.ApplyTo(json);
        return json.ToDomain(project.Created);
    }

    public void Write(Utf8JsonWriter writer) => Members.Write(writer, this);
}
