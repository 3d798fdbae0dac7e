using System.Text;
using System.Text.Json;

namespace TaskService.Acceptance.Contract;

/// <summary>Bodies that are no JSON, no task, too large or just right.</summary>
internal static class BodyStatements
{
    private const int BodyBytesMax = 1_048_576;

    public static readonly Expected Invalid = Expected.Problem(400, "JSON Schema validation failed");

    private static readonly Expected NotJson = Expected.Problem(400, "Invalid JSON body");

    public static readonly IReadOnlyList<Statement> All =
    [
        RefusesText("an empty body", ""),
        RefusesText("text that is no JSON", "it is not json"),
        RefusesText("JSON that is cut off", """{"title":"t" """),
        RefusesText("JSON with something behind it", """{"title":"t"} x"""),
        RefusesText("a comma too many", """{"title":"t",}"""),
        RefusesText("a comment", """/* c */{"title":"t"}"""),
        RefusesText("names in single quotes", "{'title':'t'}"),
        RefusesText("NaN", """{"title":"t","due_date":NaN}"""),
        RefusesText("a number with a leading zero", """{"title":"t","due_date":01}"""),
        RefusesText("a line break in a string", "{\"title\":\"a\nb\"}"),
        RefusesText("a member twice", """{"title":"t","title":"t"}"""),
        RefusesText("a member twice by an escape", """{"title":"t","\u0074itle":"t"}"""),
        RefusesText("a member twice within another", """{"x":{"a":1,"a":2}}"""),
        RefusesText("U+0000", """{"title":"t\u0000"}"""),
        RefusesText("a lone surrogate", """{"title":"\ud800"}"""),
        RefusesText("65 levels", new string('[', 65) + new string(']', 65)),
        RefusesText("a byte order mark", "\ufeff" + ContractSession.TaskJson),
        Refuses("bytes that are not UTF-8", [.. "{\"title\":\""u8, 0xff, .. "\"}"u8]),
        Refuses("UTF-16", Encoding.Unicode.GetBytes(ContractSession.TaskJson)),
        new("PUT /tasks/{id} refuses what is no JSON before it looks for the task: 400", session =>
            session.Api.PutAsync("/tasks/none", "{", NotJson)),

        Violates("no title", "{}", ("/title", "is required")),
        Violates("an array", "[]", ("", "must be an object")),
        Violates("null", "null", ("", "must be an object")),
        Violates("a string", "\"x\"", ("", "must be an object")),
        Violates("64 levels", new string('[', 64) + new string(']', 64), ("", "must be an object")),
        Violates("an empty title", """{"title":""}""", ("/title", "must not be empty")),
        Violates("a title that is a number", """{"title":1}""", ("/title", "must be a string")),
        Violates("a title of 1,001 characters", Titled(new string('x', 1_001)),
            ("/title", "must have at most 1000 characters")),
        Violates("a description of 10,001 characters", Described(10_001),
            ("/description", "must have at most 10000 characters")),
        Violates("a description that is null", """{"title":"t","description":null}""",
            ("/description", "must be a string")),
        Violates("a priority in capitals", """{"title":"t","priority":"High"}""",
            ("/priority", "must be one of urgent, high, normal, low, none")),
        Violates("completed that is a string", """{"title":"t","completed":"true"}""",
            ("/completed", "must be true or false")),
        Violates("a due date that is a string", """{"title":"t","due_date":"1"}""", ("/due_date", "must be a number")),
        Violates("a due date in the year 10000", """{"title":"t","due_date":253402300800}""",
            ("/due_date", "must be at least -62135596800 and below 253402300800")),
        Violates("an unknown member", """{"title":"t","x":1}""", ("/x", "is not a known member")),
        Violates("a member in another case", """{"title":"t","Title":"t"}""", ("/Title", "is not a known member")),
        Violates("a member with a slash and a tilde", """{"title":"t","a/b~c":1}""",
            ("/a~1b~0c", "is not a known member")),
        Violates("several violations at once", """{"title":"","completed":1,"x":1}""",
            ("/title", "must not be empty"), ("/completed", "must be true or false"),
            ("/x", "is not a known member")),
        new("POST /tasks lists 100 violations at most", async session =>
        {
            var members = string.Join(',', Enumerable.Range(0, 500).Select(i => $"\"x{i}\":1"));
            var refused = await session.PostAsync($"{{{members}}}", Invalid);
            refused.Require(refused.Json.GetProperty("errors").GetArrayLength() == 100, "expected 100 errors");
        }),
        new("PUT /tasks/{id} against the schema is 400 before 404", session =>
            session.Api.PutAsync("/tasks/none", "{}", Invalid)),
        Takes("a title of 1,000 code points", Titled(string.Concat(Enumerable.Repeat("\ud83d\ude00", 1_000)))),
        Takes("a description of 10,000 characters", Described(10_000)),
        Takes("a due date in the year 1", """{"title":"t","due_date":-62135596800}"""),
        Takes("each priority", ["urgent", "high", "normal", "low", "none"]),
        Takes("a body of 1 MiB", Padded(BodyBytesMax)),
        new("POST /tasks of more than 1 MiB is 413", session =>
            session.PostAsync(Padded(BodyBytesMax + 1), Expected.Problem(413, "Content Too Large"))),
        new("POST /tasks of more than 1 MiB is 413 before 400", session =>
            session.PostAsync(new string('x', BodyBytesMax + 1), Expected.Problem(413, "Content Too Large"))),
    ];

    public static void RequireViolations(ApiResponse response, params (string Pointer, string Message)[] violations)
    {
        var errors = response.Json.TryGetProperty("errors", out var given) && given.ValueKind == JsonValueKind.Array
            ? given.EnumerateArray().Select(error =>
                (error.GetProperty("pointer").GetString()!, error.GetProperty("message").GetString()!)) : [];
        response.Require(
            errors.Order().SequenceEqual(violations.Order()),
            $"expected the errors {string.Join(", ", violations.Select(each => $"{each.Pointer}: {each.Message}"))}");
    }

    private static Statement RefusesText(string what, string body) => Refuses(what, Encoding.UTF8.GetBytes(body));

    private static Statement Refuses(string what, byte[] body) =>
        new($"POST /tasks refuses {what}: 400 Invalid JSON body", session =>
            session.PostAsync(new ApiRequest("POST", "/tasks") { Body = body }, NotJson));

    private static Statement Violates(string what, string body, params (string Pointer, string Message)[] violations) =>
        new($"POST /tasks refuses {what}: 400 with its pointer", async session =>
            RequireViolations(await session.PostAsync(body, Invalid), violations));

    private static Statement Takes(string what, string body) =>
        new($"POST /tasks takes {what}", session => session.PostAsync(body));

    private static Statement Takes(string what, string[] priorities) =>
        new($"POST /tasks takes {what}", async session =>
        {
            foreach (var priority in priorities)
            {
                var path = await session.CreateAsync($$"""{"title":"t","priority":"{{priority}}"}""");
                (await session.Api.GetAsync(path))
                    .RequireJson($$"""{"priority":"{{priority}}","title":"t","completed":false}""");
            }
        });

    private static string Titled(string title) => $$"""{"title":"{{title}}"}""";

    private static string Described(int characters) =>
        $$"""{"title":"t","description":"{{new string('x', characters)}}"}""";

    private static string Padded(int bytes) => "{\"title\":\"t\"" + new string(' ', bytes - 13) + "}";
}
