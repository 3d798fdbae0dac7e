using Microsoft.AspNetCore.Routing.Patterns;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>The segment of a path that is an id: what no id could be is an unknown path.</summary>
internal sealed class ResourceId : IRouteConstraint
{
    private ResourceId()
    {
    }

    /// <summary><c>/{id}</c>.</summary>
    public static RoutePattern Pattern { get; } = PatternOf("/{id}");

    /// <param name="path">Whose parameters are all ids, such as <c>/{projectId}/milestones</c>.</param>
    public static RoutePattern PatternOf(string path)
    {
        var policies = new RouteValueDictionary();
        foreach (var parameter in RoutePatternFactory.Parse(path).Parameters)
        {
            policies[parameter.Name] = new ResourceId();
        }
        return RoutePatternFactory.Parse(path, defaults: null, parameterPolicies: policies);
    }

    public bool Match(
        HttpContext? httpContext,
        IRouter? route,
        string routeKey,
        RouteValueDictionary values,
        RouteDirection routeDirection) =>
        values.TryGetValue(routeKey, out var id) && id is string text && IdGenerator.IsValid(text);
}
