using System.Text;
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
    private static readonly string[] AnyMethod = ["any method"];

    /// <summary>Validates when the pipeline is built, which is before the server listens.</summary>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        next(app);
        Validate();
    };

    /// <exception cref="ConfigException">With a line for each mistake.</exception>
    private void Validate()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var problems = new List<string>();
        foreach (var endpoint in endpoints.Endpoints)
        {
            if (endpoint is not RouteEndpoint route)
            {
                continue;
            }
            AddUnknownConstraints(route, problems);
            var shape = ShapeOf(route);
            var methods = EndpointMethods.Of(endpoint);
            foreach (var method in methods.Count > 0 ? methods : AnyMethod)
            {
                if (!seen.Add($"{method} {shape}"))
                {
                    problems.Add($"endpoints: {method} {EndpointMethods.RouteOf(route)} is mapped twice; map it once");
                }
            }
        }
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    private void AddUnknownConstraints(RouteEndpoint endpoint, List<string> problems)
    {
        foreach (var parameter in endpoint.RoutePattern.Parameters)
        {
            foreach (var policy in parameter.ParameterPolicies)
            {
                try
                {
                    policies.Create(parameter, policy);
                }
                catch (Exception error) when (error is InvalidOperationException or RouteCreationException)
                {
                    problems.Add($"endpoints: {EndpointMethods.RouteOf(endpoint)}: {error.Message}");
                }
            }
        }
    }

    /// <summary>The parts that decide which endpoint a request leads to: literals and constraints, not names.</summary>
    private static string ShapeOf(RouteEndpoint endpoint)
    {
        var shape = new StringBuilder();
        foreach (var segment in endpoint.RoutePattern.PathSegments)
        {
            shape.Append('/');
            foreach (var part in segment.Parts)
            {
                Append(shape, part);
            }
        }
        shape.Append(' ').Append(endpoint.Order);
        shape.Append(' ').AppendJoin(' ', endpoint.Metadata.GetMetadata<IHostMetadata>()?.Hosts ?? []);
        shape.Append(' ').AppendJoin(' ', endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes ?? []);
        return shape.ToString();
    }

    private static void Append(StringBuilder shape, RoutePatternPart part)
    {
        switch (part)
        {
            case RoutePatternLiteralPart literal:
                shape.Append(literal.Content);
                break;
            case RoutePatternSeparatorPart separator:
                shape.Append(separator.Content);
                break;
            case RoutePatternParameterPart parameter:
                shape.Append(parameter.IsCatchAll ? "{*" : "{");
                foreach (var policy in parameter.ParameterPolicies)
                {
                    shape.Append(':').Append(policy.Content ?? policy.ParameterPolicy?.GetType().Name);
                }
                shape.Append('}');
                break;
            default:
                break;
        }
    }
}
