using Microsoft.AspNetCore.Authorization;
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
/// method of a row an edge. It runs when the first request comes, and without LINQ, whose generic code would have to be
/// compiled then.
/// </remarks>
internal sealed class RawPathMatcherPolicy : MatcherPolicy, INodeBuilderPolicy
{
    // Which methods a path has stands in the OpenAPI document as well.
    private static readonly AllowAnonymousAttribute AnyUser = new();

    // Before the framework's policy for methods, which has -1000.
    public override int Order => -2_000;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            if (endpoint is RouteEndpoint)
            {
                return true;
            }
        }
        return false;
    }

    public IReadOnlyList<PolicyNodeEdge> GetEdges(IReadOnlyList<Endpoint> endpoints)
    {
        var routes = new List<Route>();
        foreach (var endpoint in endpoints)
        {
            if (endpoint is RouteEndpoint route)
            {
                routes.Add(new Route(Named(route), new LiteralSegments(route.RoutePattern)));
            }
        }
        var edges = new List<PolicyNodeEdge>();
        foreach (var path in LiteralSegments.Combine(routes.ConvertAll(static route => route.Path)))
        {
            AddEdges(edges, path, routes.FindAll(route => path.Includes(route.Path)));
        }
        return edges;
    }

    public PolicyJumpTable BuildJumpTable(int exitDestination, IReadOnlyList<PolicyJumpTableEdge> edges)
    {
        var rows = new List<Row>();
        foreach (var edge in edges)
        {
            var state = (Edge)edge.State;
            if (rows.Count == 0 || rows[^1].Path != state.Path)
            {
                rows.Add(new Row(state.Path));
            }
            rows[^1].Add(state, edge.Destination);
        }
        return new Table(exitDestination, [.. rows]);
    }

    private static void AddEdges(List<PolicyNodeEdge> edges, LiteralSegments path, List<Route> routes)
    {
        var endpoints = routes.ConvertAll(static route => route.Endpoint);
        var anyMethod = endpoints.FindAll(static one => EndpointMethods.Of(one).Count == 0);
        List<RouteEndpoint> other = anyMethod.Count > 0 ? anyMethod : [OtherMethodsOf(path, routes)];
        foreach (var method in EndpointMethods.Of(endpoints))
        {
            var own = routes.FindAll(route => EndpointMethods.Has(route.Endpoint, method));
            var isHeadOfGet = own.Count == 0 && HttpMethods.IsHead(method);
            if (isHeadOfGet)
            {
                own = routes.FindAll(static route => EndpointMethods.Has(route.Endpoint, HttpMethods.Get));
            }
            if (own.Count == 0)
            {
                continue;
            }
            var candidates = own.ConvertAll(route => isHeadOfGet ? HeadOf(route.Endpoint) : route.Endpoint);
            // Where the path of another endpoint matches as well, one that a constraint excludes is not the end.
            candidates.AddRange(own.TrueForAll(route => path.IsSameAs(route.Path)) ? anyMethod : other);
            edges.Add(new(new Edge(path, method, IsPreflight: false), candidates));
            if (own.Exists(static route =>
                route.Endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.AcceptCorsPreflight))
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

    private static RouteEndpoint OtherMethodsOf(LiteralSegments path, List<Route> routes)
    {
        var first = routes[0].Endpoint;
        // A constraint may exclude the endpoint of another path.
        var allowed = routes.FindAll(route =>
            path.IsSameAs(route.Path) || route.Endpoint.RoutePattern.ParameterPolicies.Count == 0);
        var allow = string.Join(", ", EndpointMethods.Of(allowed.ConvertAll(static route => route.Endpoint)));
        return new(
            http => EndpointMethods.AnswerAsync(http, allow),
            first.RoutePattern,
            int.MaxValue,
            new EndpointMetadataCollection([
                .. first.Metadata.GetOrderedMetadata<ICorsMetadata>(), .. first.Metadata.GetOrderedMetadata<OnPort>(),
                .. first.Metadata.GetOrderedMetadata<IExcludeFromDescriptionMetadata>(),
                Unlimited.Metadata, AnyUser, ApiResult.Marker,
                new RouteName(EndpointMethods.RouteOf(first))]),
            $"other methods of {first.DisplayName}");
    }

    /// <param name="Path">The literals of a path.</param>
    /// <param name="Method">Null for every other one.</param>
    /// <param name="IsPreflight">Whether it is for the OPTIONS of CORS that announces this method.</param>
    private sealed record Edge(LiteralSegments Path, string? Method, bool IsPreflight);

    private sealed record Route(RouteEndpoint Endpoint, LiteralSegments Path);

    private sealed record RouteName(string Route) : IRouteDiagnosticsMetadata;

    private sealed class Row(LiteralSegments path)
    {
        private readonly List<KeyValuePair<string, int>> methods = [];
        private readonly List<KeyValuePair<string, int>> preflights = [];
        private int other;

        public LiteralSegments Path => path;

        public void Add(Edge edge, int to)
        {
            if (edge.Method is { } method)
            {
                (edge.IsPreflight ? preflights : methods).Add(new(method, to));
            }
            else
            {
                other = to;
            }
        }

        public int Find(HttpRequest request)
        {
            var (method, ways) = (request.Method, methods);
            if (preflights.Count > 0 && HttpMethods.IsOptions(method) && request.Headers.Origin.Count > 0
                && request.Headers.AccessControlRequestMethod is [{ } announced, ..])
            {
                (method, ways) = (announced, preflights);
            }
            foreach (var (name, to) in ways)
            {
                if (name == method)
                {
                    return to;
                }
            }
            return other;
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
