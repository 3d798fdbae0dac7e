namespace TaskService.Acceptance.Contract;

/// <summary>Versions and conditions on them (RFC 9110 sections 8.8.3 and 13).</summary>
internal static class ConditionStatements
{
    private const string Other = "\"00000000000000000000000000000000\"";
    private const string Changed = """{"title":"changed"}""";

    private static readonly Expected Moved = Expected.Problem(412, "Precondition Failed");

    public static readonly IReadOnlyList<Statement> All =
    [
        new("an ETag is of the content: the same for the same task, another for another", async session =>
        {
            var (one, same) = (await session.PostAsync(), await session.PostAsync());
            var other = await session.PostAsync(Changed);
            same.RequireHeader("ETag", one.Header("ETag"));
            other.Require(other.Header("ETag") != one.Header("ETag"), "expected another ETag");
        }),
        NotModified("its ETag", "{0}"),
        NotModified("a weak form of its ETag", "W/{0}"),
        NotModified("its ETag among others", "\"x\", {0}"),
        NotModified("the ETag of its gzip form", "{1}-gzip\""),
        NotModified("the ETag of its br form", "{1}-br\""),
        NotModified("an asterisk", "*"),
        Modified("another ETag", Other),
        Modified("what is no list of ETags", "nonsense"),
        new("GET /tasks/{id} with If-Match of another version is 412", async session =>
            await session.Api.GetAsync(await session.CreateAsync(), Moved, ("If-Match", Other))),
        .. Changes("If-Match", "its ETag", "{0}", true),
        .. Changes("If-Match", "the ETag of its gzip form", "{1}-gzip\"", true),
        .. Changes("If-Match", "an asterisk", "*", true),
        .. Changes("If-Match", "another ETag", Other, false),
        .. Changes("If-Match", "a weak ETag", "W/{0}", false),
        .. Changes("If-Match", "what is no list of ETags", "nonsense", false),
        .. Changes("If-None-Match", "its ETag", "{0}", false),
        .. Changes("If-None-Match", "another ETag", Other, true),
        new("of two changes under the same If-Match one is made", async session =>
        {
            var created = await session.PostAsync();
            var (path, tag) = (created.Header("Location") ?? "", created.Header("ETag") ?? "");
            await session.Api.PatchAsync(path, """{"completed":true}""", 204, ("If-Match", tag));
            await session.Api.PatchAsync(path, """{"completed":true}""", Moved, ("If-Match", tag));
        }),
        new("PUT /tasks/{id} of no task is 404 before 412", session => session.Api.PutAsync(
            "/tasks/none", Changed, TaskStatements.Missing("none"), ("If-Match", "*"))),
        new("PUT /tasks/{id} of an invalid body is 400 before 412", async session => await session.Api.PutAsync(
            await session.CreateAsync(), "{}", BodyStatements.Invalid, ("If-Match", Other))),
    ];

    private static Statement NotModified(string what, string condition) =>
        new($"GET and HEAD with If-None-Match of {what} answer 304 without a body", async session =>
        {
            var path = await session.CreateAsync();
            var found = await session.Api.GetAsync(path);
            foreach (var method in new[] { "GET", "HEAD" })
            {
                var known = ApiRequest.Of(method, path, null, ("If-None-Match", Fill(condition, found)));
                var response = await session.Api.SendAsync(known, new Expected(304) { ContentType = null });
                response.RequireHeader("ETag", found.Header("ETag")).RequireMember("Vary", "Accept-Encoding")
                    .Require(response.Bytes.Length == 0, "expected no body");
            }
        });

    private static Statement Modified(string what, string condition) =>
        new($"GET /tasks/{{id}} with If-None-Match of {what} is answered in full", async session =>
        {
            var path = await session.CreateAsync();
            var found = await session.Api.GetAsync(path);
            var again = await session.Api.GetAsync(path, 200, ("If-None-Match", Fill(condition, found)));
            again.RequireJson(found.Body);
        });

    private static IEnumerable<Statement> Changes(string header, string what, string condition, bool isMade) =>
        new[] { "PUT", "PATCH", "DELETE" }.Select(method => new Statement(
            $"{method} /tasks/{{id}} with {header} of {what} is {(isMade ? "204" : "412 and changes nothing")}",
            async session =>
            {
                var path = await session.CreateAsync();
                var found = await session.Api.GetAsync(path);
                var change = ApiRequest.Of(
                    method, path, method == "DELETE" ? null : Changed, (header, Fill(condition, found)));
                await session.Api.SendAsync(change, isMade ? 204 : Moved);
                var after = await session.Api.GetAsync(path, new Expected(200, 404));
                after.Require(
                    isMade != (after.Body == found.Body), isMade ? "expected a change" : "expected no change");
            }));

    private static string Fill(string condition, ApiResponse found)
    {
        var tag = found.Header("ETag") ?? "\"\"";
        return condition.Replace("{0}", tag, StringComparison.Ordinal)
            .Replace("{1}", tag[..^1], StringComparison.Ordinal);
    }
}
