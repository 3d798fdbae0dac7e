using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.Projects;

/// <summary>A project as an engine keeps it.</summary>
internal sealed record ProjectRow : IRow<Project, ProjectRow>
{
    public static Entity<Project> Entity { get; } = new Entity<Project, ProjectRow>(
        "projects",
        () => ProjectRowJson.File.ProjectRow,
        Column.Flag<ProjectRow>("archived", row => row.Archived, (row, value) => row.Archived = value),
        Column.Number<ProjectRow>(
            "created", row => row.CreatedMicroseconds, (row, value) => row.CreatedMicroseconds = value),
        Column.Text<ProjectRow>("name", row => row.Name, (row, value) => row.Name = value))
    {
        Filters = [Filter.Equal<Project, ProjectQuery>("archived", query => query.Archived)],
    };

    [JsonPropertyName("name")]
    [JsonRequired]
    public string Name { get; set; } = "";

    [JsonPropertyName("archived")]
    public bool Archived { get; set; }

    /// <summary>Microseconds since 1970; in a file, Unix seconds.</summary>
    [JsonPropertyName("created")]
    [JsonRequired]
    [JsonConverter(typeof(UnixSecondsConverter))]
    public long CreatedMicroseconds { get; set; }

    public static ProjectRow FromDomain(Project value) => new()
    {
        Name = value.Name,
        Archived = value.Archived,
        CreatedMicroseconds = Microseconds.FromTime(value.Created),
    };

    public bool TryToDomain([NotNullWhen(true)] out Project? value, [NotNullWhen(false)] out string? problem)
    {
        problem = Project.NameProblem(Name) is { } name ? $"name {name}"
            : Microseconds.Problem(CreatedMicroseconds) is { } created ? $"created {created}"
            : null;
        value = problem is null
            ? new Project { Name = Name, Archived = Archived, Created = Microseconds.ToTime(CreatedMicroseconds) }
            : null;
        return value is not null;
    }
}

/// <summary>A project in its file.</summary>
[JsonSerializable(typeof(ProjectRow))]
internal sealed partial class ProjectRowJson : JsonSerializerContext
{
    public static ProjectRowJson File { get; } = new(RowFile.Options());
}
