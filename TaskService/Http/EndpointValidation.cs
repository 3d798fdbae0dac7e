using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing.Patterns;
using TaskService.Configuration;

namespace TaskService.Http;

/// <summary>
/// Finds at the start what the framework would answer with 500 at the first request: two endpoints of one path and
/// method, and constraints that are not known.
/// </summary>
internal sealed class EndpointValidation(EndpointDataSource endpoints, ParameterPolicyFactory policies)
    : IStartupFilter
{
    /// <summary>Validates when the pipeline is built, which is before the server listens.</summary>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        next(app);
        Validate();
    };

    /// <exception cref="ConfigException">With a line for each mistake.</exception>
    private void Validate()
    {
        var seen = new Dictionary<string, RouteEndpoint>(StringComparer.Ordinal);
        var problems = new List<string>();
        foreach (var endpoint in endpoints.Endpoints.OfType<RouteEndpoint>())
        {
            problems.AddRange(UnknownConstraints(endpoint));
            var methods = EndpointMethods.Of(endpoint);
            foreach (var method in methods.Count > 0 ? methods : ["any method"])
            {
                if (!seen.TryAdd($"{method} {ShapeOf(endpoint)}", endpoint))
                {
                    problems.Add(
                        $"endpoints: {method} {EndpointMethods.RouteOf(endpoint)} is mapped twice; map it once");
                }
            }
        }
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    private IEnumerable<string> UnknownConstraints(RouteEndpoint endpoint)
    {
        foreach (var parameter in endpoint.RoutePattern.Parameters)
        {
            foreach (var policy in parameter.ParameterPolicies)
            {
                string? problem = null;
                try
                {
                    policies.Create(parameter, policy);
                }
                catch (Exception error) when (error is InvalidOperationException or RouteCreationException)
                {
                    problem = error.Message;
                }
                if (problem is not null)
                {
                    yield return $"endpoints: {EndpointMethods.RouteOf(endpoint)}: {problem}";
                }
            }
        }
    }

    /// <summary>What decides which endpoint a path leads to: literals and constraints, not names.</summary>
    private static string ShapeOf(RouteEndpoint endpoint)
    {
        var segments = endpoint.RoutePattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part =>
            part switch
            {
                RoutePatternLiteralPart literal => literal.Content,
                RoutePatternSeparatorPart separator => separator.Content,
                RoutePatternParameterPart parameter => ShapeOf(parameter),
                _ => "",
            })));
        var hosts = endpoint.Metadata.GetMetadata<IHostMetadata>()?.Hosts ?? [];
        var types = endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes ?? [];
        return string.Join(' ', [$"/{string.Join('/', segments)}", $"{endpoint.Order}", .. hosts, .. types]);
    }

    private static string ShapeOf(RoutePatternParameterPart parameter)
    {
        var constraints = parameter.ParameterPolicies.Select(
            policy => policy.Content ?? policy.ParameterPolicy?.GetType().Name);
        return $"{{{(parameter.IsCatchAll ? "*" : "")}{string.Join(':', constraints)}}}";
    }
}
