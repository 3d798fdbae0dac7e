namespace TaskService.Acceptance.Contract;

/// <summary>Retries with <c>Idempotency-Key</c>.</summary>
internal static class RetryStatements
{
    private const string Header = "Idempotency-Key";

    private static readonly Expected InvalidKey = Expected.Problem(400, "Invalid Idempotency-Key");

    public static readonly IReadOnlyList<Statement> All =
    [
        new("POST /tasks again with the same Idempotency-Key gets the first response, and no task", async session =>
        {
            var key = ContractSession.Unique();
            RequireSame(await PostAsync(session, key), await PostAsync(session, key));
        }),
        new("an Idempotency-Key in quotes is the same key", async session =>
        {
            var key = ContractSession.Unique();
            RequireSame(await PostAsync(session, key), await PostAsync(session, $"\"{key}\""));
        }),
        new("POST /tasks with another Idempotency-Key creates another task", async session =>
        {
            var first = await PostAsync(session, ContractSession.Unique());
            var other = await PostAsync(session, ContractSession.Unique());
            other.Require(other.Header("Location") != first.Header("Location"), "expected another Location");
        }),
        new("POST /tasks with the same Idempotency-Key and another body is 422", async session =>
        {
            var key = ContractSession.Unique();
            await PostAsync(session, key);
            await session.PostAsync(
                ContractSession.TaskJson + " ", Expected.Problem(422, "Idempotency-Key reused"), (Header, key));
        }),
        new("an Idempotency-Key is remembered when its task is deleted", async session =>
        {
            var key = ContractSession.Unique();
            var first = await PostAsync(session, key);
            await session.Api.DeleteAsync(first.Header("Location") ?? "");
            RequireSame(first, await PostAsync(session, key));
        }),
        new("an Idempotency-Key of a refused request is free", async session =>
        {
            var key = ContractSession.Unique();
            await session.PostAsync("{}", BodyStatements.Invalid, (Header, key));
            await PostAsync(session, key);
        }),
        new("an invalid body is 400 before an invalid Idempotency-Key", session =>
            session.PostAsync("{}", BodyStatements.Invalid, (Header, "a b"))),
        new("an Idempotency-Key has up to 255 characters", async session =>
        {
            var key = ContractSession.Unique();
            await PostAsync(session, key.PadRight(255, 'k'));
            await session.PostAsync(ContractSession.TaskJson, InvalidKey, (Header, key.PadRight(256, 'k')));
        }),
        Refuses("is empty", ""),
        Refuses("is empty in quotes", "\"\""),
        Refuses("has a space", "a b"),
        Refuses("has one quote", "\"a"),
        Refuses("has a parameter", "\"a\";p=1"),
    ];

    private static Statement Refuses(string what, string key) =>
        new($"POST /tasks with an Idempotency-Key that {what} is 400", session =>
            session.PostAsync(ContractSession.TaskJson, InvalidKey, (Header, key)));

    private static Task<ApiResponse> PostAsync(ContractSession session, string key) =>
        session.PostAsync(ContractSession.TaskJson, 201, (Header, key));

    private static void RequireSame(ApiResponse first, ApiResponse again) => again
        .Require(first.Header("Location") is not null, "expected a Location")
        .RequireHeader("Location", first.Header("Location")).RequireHeader("ETag", first.Header("ETag"));
}
