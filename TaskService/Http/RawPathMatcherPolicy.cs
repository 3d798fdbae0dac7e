using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing.Matching;

namespace TaskService.Http;

/// <summary>
/// Makes endpoint routing compare literals and methods of every endpoint as they were sent, gives each GET a HEAD, and
/// answers OPTIONS and methods that a path does not have (405), both with <c>Allow</c>. The framework ignores case, and
/// answers these three with 405 and no <c>Allow</c> of the other endpoints of the path.
/// </summary>
/// <remarks>
/// The matcher has found a leaf of its tree, in which paths differ only in case or in where they have parameters. Each
/// combination of literals that a path can have there becomes a row of a table, the most specific one first, and each
/// method of a row an edge.
/// </remarks>
internal sealed class RawPathMatcherPolicy : MatcherPolicy, INodeBuilderPolicy
{
    // Before the framework's policy for methods, which has -1000.
    public override int Order => -2_000;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => endpoints.Any(one => one is RouteEndpoint);

    public IReadOnlyList<PolicyNodeEdge> GetEdges(IReadOnlyList<Endpoint> endpoints)
    {
        var routes = endpoints.OfType<RouteEndpoint>()
            .Select(route => (Endpoint: Named(route), Path: new LiteralSegments(route.RoutePattern))).ToList();
        var edges = new List<PolicyNodeEdge>();
        foreach (var path in LiteralSegments.Combine(routes.Select(route => route.Path)))
        {
            var included = routes.Where(route => path.Includes(route.Path)).Select(route => route.Endpoint);
            AddEdges(edges, path, [.. included]);
        }
        return edges;
    }

    public PolicyJumpTable BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges)
    {
        var rows = edges.Select(edge => (State: (Edge)edge.State, edge.Destination))
            .GroupBy(edge => edge.State.Path)
            .Select(row => new Row(
                row.Key,
                [.. row.Where(edge => edge.State is { Method: not null, IsPreflight: false })
                    .Select(edge => (edge.State.Method!, edge.Destination))],
                [.. row.Where(edge => edge.State is { Method: not null, IsPreflight: true })
                    .Select(edge => (edge.State.Method!, edge.Destination))],
                row.Single(edge => edge.State.Method is null).Destination));
        return new Table(exitDestination, [.. rows]);
    }

    private static void AddEdges(List<PolicyNodeEdge> edges, LiteralSegments path, List<RouteEndpoint> endpoints)
    {
        var anyMethod = endpoints.Where(one => EndpointMethods.Of(one).Count == 0).ToList();
        var other = anyMethod.Count > 0 ? anyMethod : [OtherMethodsOf(path, endpoints)];
        foreach (var method in EndpointMethods.Of(endpoints))
        {
            var isHeadOfGet = method == HttpMethods.Head
                && !endpoints.Any(one => EndpointMethods.Of(one).Contains(method));
            var own = endpoints
                .Where(one => EndpointMethods.Of(one).Contains(isHeadOfGet ? HttpMethods.Get : method))
                .Select(one => isHeadOfGet ? HeadOf(one) : one).ToList();
            if (own.Count == 0)
            {
                continue;
            }
            // Where the path of another endpoint matches, one that a constraint excludes is not the end.
            List<RouteEndpoint> candidates = [.. own, .. own.All(one => path.Equals(one)) ? anyMethod : other];
            edges.Add(new(new Edge(path, method, IsPreflight: false), candidates));
            if (own.Any(one => one.Metadata.GetMetadata<IHttpMethodMetadata>()!.AcceptCorsPreflight))
            {
                edges.Add(new(new Edge(path, method, IsPreflight: true), candidates));
            }
        }
        edges.Add(new(new Edge(path, Method: null, IsPreflight: false), other));
    }

    /// <summary>An empty pattern in a group leaves a slash at the end of the route, which no path needs.</summary>
    private static RouteEndpoint Named(RouteEndpoint endpoint)
    {
        var route = EndpointMethods.RouteOf(endpoint);
        return endpoint.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route == route
            ? endpoint
            : Copy(endpoint, new RouteName(route));
    }

    private static RouteEndpoint HeadOf(RouteEndpoint get) => Copy(get, new HttpMethodMetadata([HttpMethods.Head]));

    private static RouteEndpoint Copy(RouteEndpoint endpoint, object metadata) => new(
        endpoint.RequestDelegate!,
        endpoint.RoutePattern,
        endpoint.Order,
        new EndpointMetadataCollection([.. endpoint.Metadata, metadata]),
        endpoint.DisplayName);

    private static RouteEndpoint OtherMethodsOf(LiteralSegments path, List<RouteEndpoint> endpoints)
    {
        var first = endpoints[0];
        // A constraint may exclude what is only another endpoint's path.
        var allow = string.Join(", ", EndpointMethods.Of(
            [.. endpoints.Where(one => path.Equals(one) || one.RoutePattern.ParameterPolicies.Count == 0)]));
        return new(
            http => EndpointMethods.AnswerAsync(http, allow),
            first.RoutePattern,
            int.MaxValue,
            new EndpointMetadataCollection([
                .. first.Metadata.GetOrderedMetadata<ICorsMetadata>(), Unlimited.Metadata, ApiResult.Marker,
                new RouteName(EndpointMethods.RouteOf(first))]),
            $"other methods of {first.DisplayName}");
    }

    /// <param name="Path">The literals of a path.</param>
    /// <param name="Method">Null for every other one.</param>
    /// <param name="IsPreflight">Whether it is for the OPTIONS of CORS that announces this method.</param>
    private sealed record Edge(LiteralSegments Path, string? Method, bool IsPreflight);

    private sealed record RouteName(string Route) : IRouteDiagnosticsMetadata;

    private sealed record Row(
        LiteralSegments Path, (string Method, int To)[] Methods, (string Method, int To)[] Preflights, int Other)
    {
        public int Find(HttpRequest request)
        {
            var (method, ways) = (request.Method, Methods);
            if (Preflights.Length > 0 && HttpMethods.IsOptions(method) && request.Headers.Origin.Count > 0
                && request.Headers.AccessControlRequestMethod is [{ } announced, ..])
            {
                (method, ways) = (announced, Preflights);
            }
            foreach (var (name, to) in ways)
            {
                if (name == method)
                {
                    return to;
                }
            }
            return Other;
        }
    }

    private sealed class Table(int exit, Row[] rows) : PolicyJumpTable
    {
        public override int GetDestination(HttpContext httpContext)
        {
            var path = httpContext.Request.Path.Value ?? "";
            foreach (var row in rows)
            {
                if (row.Path.AreIn(path))
                {
                    return row.Find(httpContext.Request);
                }
            }
            return exit;
        }
    }
}
