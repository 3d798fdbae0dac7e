namespace TaskService.Acceptance.Contract;

/// <summary>The service as a whole: its health, its documents, ids of requests, keys.</summary>
internal static class ServiceStatements
{
    private const string RequestId = "X-Request-ID";
    private const string Live = "/health/live";

    public static readonly IReadOnlyList<Statement> All =
    [
        Healthy(Live),
        Healthy("/health/ready"),
        new("health is open: it wants no key", async session =>
        {
            using var stranger = new ApiConnection(session.Url);
            await stranger.GetAsync(Live);
            await stranger.GetAsync("/health/ready");
        }),
        new("with a key alone: a request without one is 401 with WWW-Authenticate", async session =>
        {
            using var stranger = new ApiConnection(session.Url);
            var refused = await stranger.GetAsync("/tasks?limit=1", new Expected(200, 401));
            if (refused.Status == 200)
            {
                throw new NotCheckedException("the service wants no key");
            }
            refused.Require(refused.Header("WWW-Authenticate") is not null, "expected WWW-Authenticate");
        }),
        new("with a key alone: a request with a wrong one is 401 or 403", async session =>
        {
            using var stranger = new ApiConnection(session.Url, ContractSession.Unique());
            if ((await stranger.GetAsync("/tasks?limit=1", new Expected(200, 401, 403))).Status == 200)
            {
                throw new NotCheckedException("the service wants no key");
            }
        }),
        new("GET / answers 200 with its links", async session =>
        {
            var index = await session.Api.GetAsync("/");
            index.Require(
                index.Json.TryGetProperty("links", out var links)
                    && links.EnumerateObject().Any(link => link.Value.GetString() == "/tasks"),
                "expected a link to /tasks");
        }),
        new("GET /openapi.json answers 200 with OpenAPI 3.1 that has the paths", async session =>
        {
            var document = await session.Api.GetAsync("/openapi.json");
            document.Require(
                document.Json.TryGetProperty("openapi", out var version)
                    && version.GetString()!.StartsWith("3.1", StringComparison.Ordinal)
                    && document.Json.GetProperty("paths").TryGetProperty("/tasks", out _)
                    && document.Json.GetProperty("paths").TryGetProperty("/tasks/{id}", out _),
                "expected OpenAPI 3.1 with /tasks and /tasks/{id}");
        }),
        new("GET /docs is a page", async session =>
        {
            var page = new Expected(200, 301, 302, 404) { ContentType = null, MayBeCached = true };
            var response = await session.Api.GetAsync("/docs", page);
            if (response.Header("Location") is { } target)
            {
                var path = new Uri(new Uri("http://service/docs"), target).PathAndQuery;
                response = await session.Api.GetAsync(path, page with { Statuses = [200] });
            }
            if (response.Status == 404)
            {
                throw new NotCheckedException("http.docs is false here");
            }
            response.Require(
                response.Header("Content-Type")?.StartsWith("text/html", StringComparison.Ordinal) == true,
                "expected text/html");
        }),
        new("a response has the X-Request-ID of its request", async session =>
        {
            var id = ContractSession.Unique();
            (await session.Api.GetAsync(Live, 200, (RequestId, id))).RequireHeader(RequestId, id);
        }),
        new("an X-Correlation-ID is taken where there is no X-Request-ID", async session =>
        {
            var id = ContractSession.Unique();
            (await session.Api.GetAsync(Live, 200, ("X-Correlation-ID", id))).RequireHeader(RequestId, id);
        }),
        NewId("of 129 characters", new string('a', 129)),
        NewId("with other characters", "a b"),
        new("every request without an id gets one of its own", async session =>
        {
            var first = await session.Api.GetAsync(Live);
            var second = await session.Api.GetAsync(Live);
            second.Require(second.Header(RequestId) != first.Header(RequestId), "expected another X-Request-ID");
        }),
        new("an error has the X-Request-ID of its request in its body", async session =>
        {
            var id = ContractSession.Unique();
            var missing = await session.Api.GetAsync("/tasks/none", TaskStatements.Missing("none"), (RequestId, id));
            missing.Require(missing.Json.GetProperty("request_id").GetString() == id, "expected the id in the body");
        }),
        new("an error has no trace of the code", async session =>
        {
            var missing = await session.Api.GetAsync("/tasks/none", TaskStatements.Missing("none"));
            missing.Require(!missing.Json.TryGetProperty("trace", out _), "expected no trace: is it run with --debug?");
        }),
        NotCheckable("a body that does not arrive in time is 408"),
        NotCheckable("too many requests at once are 503 with Retry-After"),
        NotCheckable("a storage that fails is 503, one that is full 507"),
    ];

    private static Statement Healthy(string path) => new($"GET {path} answers 200 and is not stored", async session =>
    {
        var health = await session.Api.GetAsync(path);
        health.Require(
            health.Json.TryGetProperty("status", out var status) && status.ValueEquals("healthy"),
            "expected the status healthy").RequireHeader("Cache-Control", "no-store");
    });

    private static Statement NewId(string what, string id) =>
        new($"an X-Request-ID {what} is replaced", async session =>
        {
            var response = await session.Api.GetAsync(Live, 200, (RequestId, id));
            response.Require(response.Header(RequestId) != id, "expected another X-Request-ID");
        });

    private static Statement NotCheckable(string text) =>
        new(text, _ => throw new NotCheckedException("needs a service that is brought to it"));
}
