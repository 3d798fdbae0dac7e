using System.Text.Json.Nodes;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Projects;

/// <summary>The milestones of a project over HTTP.</summary>
internal static class MilestoneRoutes
{
    private static readonly ResourceDescription Description =
        new(MilestoneEndpoints.TypeName, "done", "milestone_due_before")
        {
            RequiredMember = "title",
            PathParameters = ["projectId"],
            Problems = [Problem.NotFound(ProjectEndpoints.TypeName, ResourceDescription.SomeId)],
        };

    public static void MapMilestones(this IEndpointRouteBuilder projects)
    {
        var handlers = new MilestoneEndpoints(
            projects.ServiceProvider.GetRequiredService<MilestoneService>(),
            projects.ServiceProvider.GetRequiredService<ProjectService>(),
            projects.ServiceProvider.GetRequiredService<HttpSettings>().BodyBytesMax);
        var milestones = projects.MapGroup(ResourceId.PatternOf("/{projectId}/milestones"))
            .WithTags("milestones").DescribeComponents(Components);
        milestones.MapGet("", handlers.ListAsync).WithName("listMilestones").WithSummary("List milestones")
            .WithDescription("An object from id to milestone, in the order of creation.").Describe(Description.List);
        milestones.MapPost("", handlers.CreateAsync).WithName("createMilestone").WithSummary("Create a milestone")
            .WithDescription("The service chooses the id, which is in `Location`.").Describe(Description.Create);
        var milestone = milestones.MapGroup(ResourceId.Pattern);
        milestone.MapGet("", handlers.FindAsync).WithName("getMilestone").WithSummary("Read a milestone")
            .WithDescription("One milestone, with its `ETag`.").Describe(Description.Find);
        milestone.MapPut("", handlers.ReplaceAsync).WithName("replaceMilestone").WithSummary("Replace a milestone")
            .WithDescription("Its project stays as it is.").Describe(Description.Replace);
        milestone.MapPatch("", handlers.PatchAsync).WithName("patchMilestone").WithSummary("Change a milestone")
            .WithDescription("A JSON merge patch (RFC 7396): null removes.").Describe(Description.Patch);
        milestone.MapDelete("", handlers.DeleteAsync).WithName("deleteMilestone").WithSummary("Delete a milestone")
            .WithDescription("Deletes the milestone for good.").Describe(() => Description.Delete());
    }

    private static DescribedComponents Components() => Description.Components(
        JsonNode.Parse($$"""
            {
              "type": "object",
              "properties": {
                "title": { "type": "string", "minLength": 1, "maxLength": {{Milestone.TitleCharactersMax}} },
                "due_date": { "type": "number", "description": "Unix seconds" },
                "done": { "type": "boolean", "default": false }
              },
              "required": ["title"],
              "additionalProperties": false
            }
            """)!.AsObject(),
        """{"title":"Sow","due_date":1806526800,"done":false}""",
        """{"done":true,"due_date":null}""") with
    {
        Parameters = new JsonObject
        {
            ["projectId"] = DescribedComponents.Parameter(
                "path", "projectId", "The id of the project.",
                ResourceDescription.IdSchema(), ResourceDescription.SomeId),
            ["done"] = DescribedComponents.Parameter(
                "query", "done", "Only milestones that are, or are not.",
                new JsonObject { ["type"] = "boolean" }, false),
            // Not due_before, whose words are about tasks: names of components are unique in the document.
            ["milestone_due_before"] = DescribedComponents.Parameter(
                "query", "due_before", "Only milestones that are due before this time, in Unix seconds.",
                new JsonObject { ["type"] = "number" }, 1_893_456_000),
        },
        Tags = new Dictionary<string, string> { ["milestones"] = "The milestones of a project" },
    };
}
