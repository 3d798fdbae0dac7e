namespace TaskService.Acceptance.Contract;

/// <summary>JSON merge patch (RFC 7396).</summary>
internal static class PatchStatements
{
    public static readonly IReadOnlyList<Statement> All =
    [
        new("PATCH /tasks/{id} answers 204 without ETag and without a body", async session =>
        {
            var response = await session.Api.PatchAsync(await session.CreateAsync(), """{"completed":true}""");
            response.RequireHeader("ETag", null).Require(response.Bytes.Length == 0, "expected no body");
        }),
        Changes("changes what it names and leaves the rest", """{"title":"u","due_date":7.5}""",
            """{"priority":"high","title":"u","description":"d","completed":true,"due_date":7.5}"""),
        Changes("without members changes nothing", "{}", TaskStatements.Full),
        Changes("with null removes a description and a due date", """{"description":null,"due_date":null}""",
            """{"priority":"high","title":"t","completed":true}"""),
        Changes("with null makes priority and completed the default again", """{"priority":null,"completed":null}""",
            """{"priority":"none","title":"t","description":"d","completed":false,"due_date":1663738852}"""),
        Changes("with null of an unknown member changes nothing", """{"unknown":null}""", TaskStatements.Full),
        new("PATCH /tasks/{id} takes application/json, too", async session =>
        {
            var path = await session.CreateAsync();
            await session.Api.SendAsync(ApiRequest.Of("PATCH", path, """{"completed":true}"""), 204);
            (await session.Api.GetAsync(path)).RequireJson("""{"priority":"none","title":"Task1","completed":true}""");
        }),
        new("PATCH /tasks/{id} of no task is 404", session =>
            session.Api.PatchAsync("/tasks/none", "{}", TaskStatements.Missing("none"))),
        Refuses("of a title that is null", """{"title":null}""", "/title", "is required"),
        Refuses("of an empty title", """{"title":""}""", "/title", "must not be empty"),
        Refuses("of completed that is no boolean", """{"completed":1}""", "/completed", "must be true or false"),
        Refuses("of a description that is an object", """{"description":{"a":null}}""", "/description",
            "must be a string"),
        Refuses("of an unknown member", """{"unknown":1}""", "/unknown", "is not a known member"),
        Refuses("that is an array", "[]", "", "must be an object"),
        Refuses("that is null", "null", "", "must be an object"),
        new("PATCH /tasks/{id} with a member twice is 400", session => session.Api.PatchAsync(
            "/tasks/none", """{"title":"a","title":"b"}""", Expected.Problem(400, "Invalid JSON body"))),
        new("PATCH /tasks/{id} of another type is 415 with Accept-Patch", async session =>
        {
            var foreign = ApiRequest.Of("PATCH", "/tasks/none", "[]");
            var response = await session.Api.SendAsync(
                foreign with { ContentType = "application/json-patch+json" },
                Expected.Problem(415, "Unsupported Media Type"));
            response.RequireHeader("Accept-Patch", "application/merge-patch+json");
        }),
    ];

    private static Statement Changes(string how, string patch, string result) =>
        new($"PATCH /tasks/{{id}} {how}", async session =>
        {
            var path = await session.CreateAsync(TaskStatements.Full);
            await session.Api.PatchAsync(path, patch);
            (await session.Api.GetAsync(path)).RequireJson(result);
        });

    private static Statement Refuses(string what, string patch, string pointer, string message) =>
        new($"PATCH /tasks/{{id}} {what} is 400, even of no task, and changes nothing", async session =>
        {
            var path = await session.CreateAsync(TaskStatements.Full);
            foreach (var target in new[] { path, "/tasks/none" })
            {
                BodyStatements.RequireViolations(
                    await session.Api.PatchAsync(target, patch, BodyStatements.Invalid), (pointer, message));
            }
            (await session.Api.GetAsync(path)).RequireJson(TaskStatements.Full);
        });
}
