using System.Text.Json.Nodes;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>Projects and their milestones over HTTP.</summary>
internal static class ProjectRoutes
{
    private static readonly ResourceDescription Description =
        new(ProjectEndpoints.TypeName, "archived") { RequiredMember = "name" };

    public static void MapProjects(this IEndpointRouteBuilder app)
    {
        var service = app.ServiceProvider.GetRequiredService<ProjectService>();
        var handlers = new ProjectEndpoints(
            service,
            app.ServiceProvider.GetRequiredService<TimeProvider>(),
            app.ServiceProvider.GetRequiredService<HttpSettings>().BodyBytesMax);
        var all = app.MapGroup(ProjectEndpoints.Path).RequireAuthorization(ProjectAccess.Policy);
        if (service.NeedsReadConsistency)
        {
            all.AddEndpointFilter(new ReadAfter());
        }
        var projects = all.MapGroup("").WithTags("projects").DescribeComponents(Components);
        projects.MapGet("", handlers.ListAsync).WithName("listProjects").WithSummary("List projects")
            .WithDescription("An object from id to project, in the order of creation.").Describe(Description.List);
        projects.MapPost("", handlers.CreateAsync).WithName("createProject").WithSummary("Create a project")
            .WithDescription("The service chooses the id, which is in `Location`.").Describe(Description.Create);
        var project = projects.MapGroup(ResourceId.Pattern);
        project.MapGet("", handlers.FindAsync).WithName("getProject").WithSummary("Read a project")
            .WithDescription("One project, with its `ETag`.").Describe(Description.Find);
        project.MapPut("", handlers.ReplaceAsync).WithName("replaceProject").WithSummary("Replace a project")
            .WithDescription("`created` stays as it is.").Describe(Description.Replace);
        project.MapPatch("", handlers.PatchAsync).WithName("patchProject").WithSummary("Change a project")
            .WithDescription("A JSON merge patch (RFC 7396).").Describe(Description.Patch);
        project.MapDelete("", handlers.DeleteAsync).WithName("deleteProject").WithSummary("Delete a project")
            .WithDescription("Only one without milestones.")
            .Describe(() => Description.Delete(
                Problem.From(ErrorKind.HasChildren, ProjectEndpoints.TypeName, ResourceDescription.SomeId)));
        all.MapMilestones();
    }

    private static DescribedComponents Components() => Description.Components(
        JsonNode.Parse($$"""
            {
              "type": "object",
              "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": {{Project.NameCharactersMax}} },
                "archived": { "type": "boolean", "default": false },
                "created": { "type": "number", "readOnly": true, "description": "Unix seconds" }
              },
              "required": ["name"],
              "additionalProperties": false
            }
            """)!.AsObject(),
        """{"name":"Garden","archived":false,"created":1795726800}""",
        """{"archived":true}""") with
    {
        Parameters = new JsonObject
        {
            ["archived"] = DescribedComponents.Parameter(
                "query", "archived", "Only projects that are, or are not.",
                new JsonObject { ["type"] = "boolean" }, false),
        },
        Tags = new Dictionary<string, string> { ["projects"] = "Projects" },
    };
}
