using Microsoft.AspNetCore.Routing.Patterns;
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
        var tasks = app.MapGroup("/tasks");
        tasks.MapGet("", handlers.ListAsync);
        tasks.MapPost("", handlers.CreateAsync);

        var constraint = new RouteValueDictionary { ["id"] = new TaskIdConstraint() };
        var task = tasks.MapGroup(RoutePatternFactory.Parse("/{id}", defaults: null, parameterPolicies: constraint));
        task.MapGet("", handlers.FindAsync);
        task.MapPut("", handlers.ReplaceAsync);
        task.MapPatch("", handlers.PatchAsync);
        task.MapDelete("", handlers.DeleteAsync);

        if (service.NeedsReadConsistency)
        {
            tasks.AddEndpointFilter(new ReadAfter());
        }
        return tasks;
    }

    private sealed class TaskIdConstraint : IRouteConstraint
    {
        public bool Match(
            HttpContext? httpContext,
            IRouter? route,
            string routeKey,
            RouteValueDictionary values,
            RouteDirection routeDirection) =>
            values.TryGetValue(routeKey, out var id) && id is string text && TaskIds.IsValid(text);
    }
}
