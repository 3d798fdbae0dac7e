namespace TaskService.Acceptance.Contract;

/// <summary>A task from its creation to its deletion.</summary>
internal static class TaskStatements
{
    public const string Full =
        """{"priority":"high","title":"t","description":"d","completed":true,"due_date":1663738852}""";

    private const string Smallest = """{"priority":"none","title":"Task1","completed":false}""";

    public static readonly IReadOnlyList<Statement> All =
    [
        new("POST /tasks answers 201 with Location", async session =>
        {
            var created = await session.PostAsync();
            var id = IdOf(created.Header("Location") ?? "");
            created.Require(
                created.Header("Location") == $"/tasks/{id}" && id.Length == 32 && id.All(char.IsAsciiHexDigitLower),
                "expected Location: /tasks/ and 32 lower-case hexadecimal digits");
        }),
        new("POST /tasks answers 201 without a body", async session =>
            (await session.PostAsync()).RequireHeader("Content-Length", "0")),
        new("POST /tasks answers 201 with the ETag that GET has", async session =>
        {
            var created = await session.PostAsync();
            var found = await session.Api.GetAsync(created.Header("Location") ?? "/tasks/none");
            found.Require(
                created.Header("ETag") is { } tag && found.Header("ETag") == tag, "expected the ETag of POST");
        }),
        new("POST /tasks/ with a slash at its end creates a task, too", session =>
            session.PostAsync(ApiRequest.Of("POST", "/tasks/", ContractSession.TaskJson))),
        new("a later task has a larger id", async session =>
        {
            var (first, second) = (await session.CreateAsync(), await session.CreateAsync());
            if (string.CompareOrdinal(first, second) >= 0)
            {
                throw new AcceptanceException($"expected {second} to be larger than {first}");
            }
        }),
        new("GET /tasks/{id} answers 200 with the task and its defaults", async session =>
            (await session.Api.GetAsync(await session.CreateAsync())).RequireJson(Smallest)),
        new("GET /tasks/{id} answers with every member that was set", async session =>
            (await session.Api.GetAsync(await session.CreateAsync(Full))).RequireJson(Full)),
        new("GET /tasks/{id} answers with a strong ETag of 32 hexadecimal digits", async session =>
        {
            var found = await session.Api.GetAsync(await session.CreateAsync());
            found.Require(
                found.Header("ETag") is ['"', .. { Length: 32 } digits, '"'] && digits.All(char.IsAsciiHexDigitLower),
                "expected an ETag in quotes");
        }),
        new("GET /tasks/{id}/ with a slash at its end is the same task", async session =>
            (await session.Api.GetAsync(await session.CreateAsync() + "/")).RequireJson(Smallest)),
        new("GET /tasks/{id} ignores a query", async session =>
            (await session.Api.GetAsync(await session.CreateAsync() + "?x=1")).RequireJson(Smallest)),
        new("a title of any Unicode comes back as it was", session => AssertKeepsAsync(
            session, """{"priority":"none","title":"caf\u00e9 \ud83d\ude00 \\ \" \t \u2028","completed":false}""")),
        new("a due date keeps its fraction of a second", session => AssertKeepsAsync(
            session, """{"priority":"none","title":"t","completed":false,"due_date":1663738852.5}""")),
        new("an empty description is one", session => AssertKeepsAsync(
            session, """{"priority":"none","title":"t","description":"","completed":false}""")),
        new("PUT /tasks/{id} answers 204 without ETag and without a body", async session =>
        {
            var response = await session.Api.PutAsync(await session.CreateAsync(), Full);
            response.RequireHeader("ETag", null).Require(response.Bytes.Length == 0, "expected no body");
        }),
        new("PUT /tasks/{id} replaces the whole task: what it does not say is the default again", async session =>
        {
            var path = await session.CreateAsync(Full);
            await session.Api.PutAsync(path, ContractSession.TaskJson);
            (await session.Api.GetAsync(path)).RequireJson(Smallest);
        }),
        new("PUT /tasks/{id} does not create a task: 404", session =>
            session.Api.PutAsync("/tasks/none", Full, Missing("none"))),
        new("DELETE /tasks/{id} answers 204, and the task is gone: 404", async session =>
        {
            var path = await session.CreateAsync();
            await session.Api.DeleteAsync(path);
            await session.Api.GetAsync(path, Missing(IdOf(path)));
        }),
        new("DELETE /tasks/{id} a second time is 404", async session =>
        {
            var path = await session.CreateAsync();
            await session.Api.DeleteAsync(path);
            await session.Api.DeleteAsync(path, Missing(IdOf(path)));
        }),
        new("GET /tasks/{id} of no task is 404 with its id in the message", session =>
            session.Api.GetAsync("/tasks/none?x=1", Missing("none"))),
        new("HEAD /tasks/{id} answers as GET without a body", async session =>
        {
            var path = await session.CreateAsync(Full);
            AssertSameHead(await session.Api.GetAsync(path), await session.Api.HeadAsync(path));
        }),
    ];

    public static Expected Missing(string id) => Expected.Problem(404, $"Task '{id}' does not exist");

    public static string IdOf(string path) => path[(path.LastIndexOf('/') + 1)..];

    public static void AssertSameHead(ApiResponse get, ApiResponse head)
    {
        head.Require(head.Bytes.Length == 0, "expected no body");
        foreach (var name in new[] { "Content-Length", "Content-Type", "ETag", "Vary" })
        {
            head.RequireHeader(name, get.Header(name));
        }
    }

    private static async Task AssertKeepsAsync(ContractSession session, string task) =>
        (await session.Api.GetAsync(await session.CreateAsync(task))).RequireJson(task);
}
