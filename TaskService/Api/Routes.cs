using TaskService.Domain;
using TaskService.Telemetry;

namespace TaskService.Api;

/// <summary>Answers a request for one method of a resource.</summary>
/// <param name="http">The request. Only the body and headers are read here.</param>
/// <param name="target">Its path and query.</param>
/// <param name="id">What stands for <c>{id}</c> in the path; empty where the template has none.</param>
/// <param name="cancel">Its time is over, or the client has gone.</param>
internal delegate ValueTask<Answer> Endpoint(
    HttpContext http, RequestTarget target, string id, CancellationToken cancel);

/// <summary>
/// The resources and their methods. The framework's routing ignores case, decodes and folds dots, where an id on a
/// disk must be exactly what was asked for; so paths are compared as they were sent, with one slash more at the end or
/// not.
/// </summary>
internal sealed class Routes
{
    private const string IdTemplate = "/{id}";

    private readonly Dictionary<string, Route> exact = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Route> byId = new(StringComparer.Ordinal);
    private readonly Lazy<Route> server;

    public Routes() => server = new Lazy<Route>(() => Route.Of(All));

    /// <summary>All routes, in no order.</summary>
    public IEnumerable<Route> All => exact.Values.Concat(byId.Values);

    /// <param name="method">Upper case. GET brings HEAD with it, and OPTIONS is there for every resource.</param>
    /// <param name="template">A path, such as <c>/tasks</c>, or with an id at its end, <c>/tasks/{id}</c>.</param>
    /// <param name="endpoint">Answers it.</param>
    public void Add(string method, string template, Endpoint endpoint)
    {
        var hasId = template.EndsWith(IdTemplate, StringComparison.Ordinal);
        var (table, key) = hasId ? (byId, template[..^IdTemplate.Length]) : (exact, template);
        if (!table.TryGetValue(key, out var route))
        {
            table.Add(key, route = new Route(template));
        }
        route.Add(method, endpoint);
    }

    /// <summary>Adds an endpoint that knows nothing of this layer and sends its answer itself.</summary>
    /// <inheritdoc cref="Add(string, string, Endpoint)"/>
    public void Add(string method, string template, Func<HttpContext, CancellationToken, Task> endpoint)
    {
        Add(method, template, async (http, _, _, cancel) =>
        {
            CountedBody.Begin(http);
            await endpoint(http, cancel);
            SayAnsweredId(http);
            return new Answer { Status = http.Response.StatusCode, IsSent = true };
        });
        exact[template].IsLimited = false;
    }

    /// <summary>Adds a page for browsers, which is no part of the API and sends itself.</summary>
    public void AddPage(string path, RequestDelegate page)
    {
        Add(HttpMethods.Get, path, (http, _) => page(http));
        (exact[path].IsLimited, exact[path].IsPage) = (true, true);
    }

    /// <summary>Finds the resource at a path.</summary>
    /// <param name="path">As it was sent.</param>
    /// <param name="id">What stands for <c>{id}</c>; empty where the template has none.</param>
    /// <returns>Null when there is none.</returns>
    public Route? Find(string path, out string id)
    {
        var end = path.Length > 1 && path[^1] == '/' ? path.Length - 1 : path.Length;
        id = "";
        if (exact.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(path.AsSpan(0, end), out var route))
        {
            return route;
        }
        var slash = path.AsSpan(0, end).LastIndexOf('/');
        if (slash >= 0 && TaskIds.IsValid(path.AsSpan(slash + 1, end - slash - 1))
            && byId.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(path.AsSpan(0, slash), out route))
        {
            id = path[(slash + 1)..end];
            return route;
        }
        return path == Route.Server ? server.Value : null;
    }

    /// <summary>The caller asks by the id that it was given, which may be one that the endpoint has set.</summary>
    private static void SayAnsweredId(HttpContext http)
    {
        string? answered = http.Response.Headers[RequestIds.Header];
        if (Operation.Current is { } operation && answered != operation.Id)
        {
            operation.Set("answered_id", answered);
        }
    }
}

/// <summary>A resource and its methods.</summary>
/// <param name="template">Stands in log lines as <c>route</c>.</param>
internal sealed class Route(string template)
{
    /// <summary>The target of OPTIONS that stands for the server as a whole (RFC 9110 section 9.3.7).</summary>
    public const string Server = "*";

    private readonly OrderedDictionary<string, Endpoint> endpoints = new(StringComparer.Ordinal);

    public string Template { get; } = template;

    /// <summary>
    /// Whether it is refused when there are too many requests; what tells how the service is never is.
    /// </summary>
    public bool IsLimited { get; set; } = true;

    /// <summary>Whether it is for browsers, and no part of the API.</summary>
    public bool IsPage { get; set; }

    /// <summary>All of them, HEAD and OPTIONS included.</summary>
    public IEnumerable<string> Methods => endpoints.Keys.Append(HttpMethods.Options);

    /// <summary>The value of an <c>Allow</c> header.</summary>
    public string Allow { get; private set; } = "";

    /// <summary>The server, which allows what any of these allows.</summary>
    public static Route Of(IEnumerable<Route> routes) => new(Server)
    {
        Allow = string.Join(", ", routes.SelectMany(route => route.Methods).Distinct().Order(StringComparer.Ordinal)),
    };

    public void Add(string method, Endpoint endpoint)
    {
        endpoints.Add(method, endpoint);
        if (method == HttpMethods.Get)
        {
            endpoints.Add(HttpMethods.Head, endpoint);
        }
        Allow = string.Join(", ", Methods);
    }

    /// <summary>The endpoint for a method, OPTIONS included; null when the resource does not have it.</summary>
    public Endpoint? Find(string method) =>
        endpoints.TryGetValue(method, out var endpoint) ? endpoint
        : method == HttpMethods.Options ? AnswerOptions
        : null;

    private ValueTask<Answer> AnswerOptions(
        HttpContext http, RequestTarget target, string id, CancellationToken cancel) =>
        ValueTask.FromResult(Answer.NoContent with { Allow = Allow });
}
