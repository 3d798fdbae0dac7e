using Microsoft.AspNetCore.Routing.Patterns;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>The todo list over HTTP.</summary>
internal static class TaskRoutes
{
    private const string Json = "application/json";

    /// <returns>All of its endpoints, for what is to hold for all, such as a policy.</returns>
    public static RouteGroupBuilder MapTasks(this IEndpointRouteBuilder app)
    {
        var service = app.ServiceProvider.GetRequiredService<TodoListService>();
        var handlers = new TaskEndpoints(
            service, app.ServiceProvider.GetRequiredService<HttpSettings>().BodyBytesMax);
        var tasks = app.MapGroup("/tasks").WithTags("tasks").DescribeComponents(TaskComponents.Describe);
        MapList(tasks, handlers);

        var constraint = new RouteValueDictionary { ["id"] = new TaskIdConstraint() };
        var task = tasks.MapGroup(RoutePatternFactory.Parse("/{id}", defaults: null, parameterPolicies: constraint));
        MapOne(task, handlers);

        if (service.NeedsReadConsistency)
        {
            tasks.AddEndpointFilter(new ReadAfter());
        }
        return tasks;
    }

    private static void MapList(RouteGroupBuilder tasks, TaskEndpoints handlers)
    {
        tasks.MapGet("", handlers.ListAsync).WithName("listTasks").WithSummary("List tasks")
            .WithDescription("An object from id to task, in id order, which is the order of creation. A list that fits "
                + "into 64 KiB has an `ETag`; a longer one is streamed.")
            .Describe(() => new()
            {
                Parameters =
                [
                    "limit", "after", "completed", "priority", "due_before", "If-None-Match", "If-Match",
                    ReadAfter.Header,
                ],
                Responses =
                [
                    new(200, "The tasks", ["ETag", "Link"], "Tasks"),
                    new(304, "The client has this list already", ["ETag", "Link"]),
                ],
                Problems = [Problem.InvalidQuery("limit must be a whole number from 1"), TaskComponents.Unavailable],
            });
        tasks.MapPost("", handlers.CreateAsync).WithName("createTask").WithSummary("Create a task")
            .WithDescription("The service chooses the id, which is in `Location`.")
            .Describe(() => new()
            {
                Parameters = [TaskEndpoints.KeyHeader],
                Bodies = [(Json, "Task")],
                Responses = [new(201, "Where the new task is", ["ETag", "Location", ReadAfter.Header])],
                Problems =
                [
                    .. TaskComponents.BodyProblems, Problem.InvalidIdempotencyKey, Problem.From(ErrorKind.KeyInUse),
                    Problem.From(ErrorKind.KeyReused), Problem.From(ErrorKind.StorageFull), TaskComponents.Unavailable,
                ],
            });
    }

    private static void MapOne(RouteGroupBuilder task, TaskEndpoints handlers)
    {
        task.MapGet("", handlers.FindAsync).WithName("getTask").WithSummary("Read a task")
            .WithDescription("One task, with the `ETag` that conditions of later requests take.")
            .Describe(() => new()
            {
                Parameters = ["id", "If-None-Match", "If-Match", ReadAfter.Header],
                Responses =
                [
                    new(200, "The task, with its defaults filled in", ["ETag"], "Task"),
                    new(304, "The client has this version already", ["ETag"]),
                ],
                Problems = [TaskComponents.NotFound, TaskComponents.Unavailable],
            });
        task.MapPut("", handlers.ReplaceAsync).WithName("replaceTask").WithSummary("Replace a task")
            .WithDescription("Replaces the whole task; does not create one.")
            .Describe(() => new()
            {
                Parameters = ["id", "If-Match", "If-None-Match"],
                Bodies = [(Json, "Task")],
                Responses = [new(204, "It is replaced", [ReadAfter.Header])],
                Problems = [.. TaskComponents.BodyProblems, .. TaskComponents.ChangeProblems],
            });
        task.MapPatch("", handlers.PatchAsync).WithName("patchTask").WithSummary("Change a task")
            .WithDescription(
                "A JSON merge patch (RFC 7396): null removes, so that a priority is the default again.")
            .Describe(() => new()
            {
                Parameters = ["id", "If-Match", "If-None-Match"],
                Bodies = [(RequestBody.MergePatch, "TaskPatch"), (Json, "TaskPatch")],
                Responses = [new(204, "It is changed", [ReadAfter.Header]), new(415, "", ["Accept-Patch"])],
                Problems = [.. TaskComponents.BodyProblems, .. TaskComponents.ChangeProblems],
            });
        task.MapDelete("", handlers.DeleteAsync).WithName("deleteTask").WithSummary("Delete a task")
            .WithDescription("Deletes the task for good.")
            .Describe(() => new()
            {
                Parameters = ["id", "If-Match", "If-None-Match"],
                Responses = [new(204, "It is gone", [ReadAfter.Header])],
                Problems = TaskComponents.ChangeProblems,
            });
    }

    private sealed class TaskIdConstraint : IRouteConstraint
    {
        public bool Match(
            HttpContext? httpContext,
            IRouter? route,
            string routeKey,
            RouteValueDictionary values,
            RouteDirection routeDirection) =>
            values.TryGetValue(routeKey, out var id) && id is string text && IdGenerator.IsValid(text);
    }
}
