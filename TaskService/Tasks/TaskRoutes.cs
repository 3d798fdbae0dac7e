using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>The todo list over HTTP.</summary>
internal static class TaskRoutes
{
    /// <returns>All of its endpoints, for what is to hold for all, such as a policy.</returns>
    public static RouteGroupBuilder MapTasks(this IEndpointRouteBuilder app)
    {
        var service = app.ServiceProvider.GetRequiredService<TodoListService>();
        var handlers = new TaskEndpoints(
            service, app.ServiceProvider.GetRequiredService<HttpSettings>().BodyBytesMax);
        var description = TaskComponents.Description;
        var tasks = app.MapGroup(TaskEndpoints.Path).WithTags("tasks").DescribeComponents(TaskComponents.Describe);
        tasks.MapGet("", handlers.ListAsync).WithName("listTasks").WithSummary("List tasks")
            .WithDescription("An object from id to task, in id order, which is the order of creation. A list that fits "
                + "into 64 KiB has an `ETag`; a longer one is streamed.")
            .Describe(description.List);
        tasks.MapPost("", handlers.CreateAsync).WithName("createTask").WithSummary("Create a task")
            .WithDescription("The service chooses the id, which is in `Location`.")
            .Describe(description.Create);

        var task = tasks.MapGroup(ResourceId.Pattern);
        task.MapGet("", handlers.FindAsync).WithName("getTask").WithSummary("Read a task")
            .WithDescription("One task, with the `ETag` that conditions of later requests take.")
            .Describe(description.Find);
        task.MapPut("", handlers.ReplaceAsync).WithName("replaceTask").WithSummary("Replace a task")
            .WithDescription("Replaces the whole task; does not create one.")
            .Describe(description.Replace);
        task.MapPatch("", handlers.PatchAsync).WithName("patchTask").WithSummary("Change a task")
            .WithDescription(
                "A JSON merge patch (RFC 7396): null removes, so that a priority is the default again.")
            .Describe(description.Patch);
        task.MapDelete("", handlers.DeleteAsync).WithName("deleteTask").WithSummary("Delete a task")
            .WithDescription("Deletes the task for good.")
            .Describe(() => description.Delete());

        if (service.NeedsReadConsistency)
        {
            tasks.AddEndpointFilter(new ReadAfter());
        }
        return tasks;
    }
}
