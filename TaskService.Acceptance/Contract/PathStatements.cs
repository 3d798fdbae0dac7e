namespace TaskService.Acceptance.Contract;

/// <summary>Paths as they were sent, and the methods of each.</summary>
internal static class PathStatements
{
    private const string List = "GET, HEAD, POST, OPTIONS";
    private const string Task = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";

    private static readonly Expected Unknown = Expected.Problem(404, "Unknown Endpoint");

    public static readonly IReadOnlyList<Statement> All =
    [
        .. new[]
        {
            "/does-not-exist", "/Tasks", "//tasks", "/%74asks", "/x/../tasks", "/tasks/./a", "/tasks/a_b",
            "/tasks/%41", "/tasks/a/b", "/tasks/a//", $"/tasks/{new string('a', 65)}",
        }.Select(path => new Statement($"GET {path} is 404 Unknown Endpoint", session =>
            session.Api.GetAsync($"{path}?x=1", Unknown))),
        new("an id has up to 64 characters", session => session.Api.GetAsync(
            $"/tasks/{new string('a', 64)}", TaskStatements.Missing(new string('a', 64)))),
        new("an unknown path is 404 whatever the method", async session =>
        {
            await session.Api.PostAsync("/does-not-exist", "{}", Unknown);
            await session.Api.OptionsAsync("/does-not-exist", Unknown);
            await session.Api.SendAsync(ApiRequest.Of("BREW", "/does-not-exist"), Unknown);
        }),
        NotAllowed("PUT", "/tasks", List),
        NotAllowed("DELETE", "/tasks/", List),
        NotAllowed("BREW", "/tasks", List),
        NotAllowed("POST", "/tasks/none", Task),
        NotAllowed("POST", "/health/live", "GET, HEAD, OPTIONS"),
        new("405 comes before 415", async session => await session.Api.SendAsync(
            ApiRequest.Of("POST", "/tasks/none", "x") with { ContentType = "text/plain" }, 405)),
        Options("/tasks", List),
        Options("/tasks/none", Task),
        Options("/health/ready", "GET, HEAD, OPTIONS"),
    ];

    private static Statement NotAllowed(string method, string path, string allow) =>
        new($"{method} {path} is 405 with Allow", async session =>
        {
            var refused = Expected.Problem(405, "Method Not Allowed");
            RequireAllow(await session.Api.SendAsync(ApiRequest.Of(method, path), refused), allow);
        });

    private static Statement Options(string path, string allow) =>
        new($"OPTIONS {path} is 204 with Allow", async session =>
            RequireAllow(await session.Api.OptionsAsync(path), allow));

    private static void RequireAllow(ApiResponse response, string allow) => response.Require(
        Methods(response.Header("Allow") ?? "").SetEquals(Methods(allow)),
        $"expected Allow: {allow}, was {response.Header("Allow") ?? "none"}");

    private static HashSet<string> Methods(string allow) =>
        [.. allow.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
}
