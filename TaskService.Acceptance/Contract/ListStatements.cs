using System.Text.Json;

namespace TaskService.Acceptance.Contract;

/// <summary>Pages and filters of the list, of which other tasks may be, too.</summary>
internal static class ListStatements
{
    // No id of a service is larger.
    private static readonly string Last = new('z', 64);

    private static readonly string[] Some =
    [
        """{"title":"a","priority":"urgent","due_date":-62135596800}""",
        """{"title":"b","priority":"urgent","completed":true,"due_date":-62135596799}""",
        """{"title":"c","priority":"low"}""",
    ];

    public static readonly IReadOnlyList<Statement> All =
    [
        new("GET /tasks answers 200 with an object from id to task", async session =>
        {
            var (path, id, before) = await CreateAsync(session);
            var list = await session.Api.GetAsync($"/tasks?after={before}&limit=1");
            list.RequireJson($$"""{"{{id}}":{{(await session.Api.GetAsync(path)).Body}}}""");
        }),
        new("GET /tasks without tasks answers {}", async session =>
            (await session.Api.GetAsync($"/tasks?after={Last}")).RequireJson("{}")),
        new("GET /tasks/ with a slash at its end is the list", async session =>
            (await session.Api.GetAsync($"/tasks/?after={Last}")).RequireJson("{}")),
        new("GET /tasks is in id order, the order of creation", async session =>
        {
            var before = await session.CreateAsync();
            string[] created = [await session.CreateAsync(), await session.CreateAsync(), await session.CreateAsync()];
            var list = await session.Api.GetAsync($"/tasks?after={TaskStatements.IdOf(before)}&limit=3");
            list.Require(
                Ids(list).SequenceEqual(created.Select(TaskStatements.IdOf)), "expected them in order of creation");
        }),
        new("GET /tasks?limit=1 has a Link to the next page, which keeps the filters", async session =>
        {
            var before = await session.CreateAsync();
            foreach (var task in Some)
            {
                await session.CreateAsync(task);
            }
            var next = $"/tasks?limit=1&priority=urgent&after={TaskStatements.IdOf(before)}";
            var titles = "";
            for (var page = 0; page < 2; page++)
            {
                var list = await session.Api.GetAsync(next);
                titles += Titles(list);
                // More tasks of others may follow the second.
                next = LinkOf(list) ?? (page == 0 ? list.Require(false, "expected a Link").Body : "");
            }
            Require(titles, "ab");
        }),
        new("GET /tasks without a next page has no Link", async session =>
            (await session.Api.GetAsync($"/tasks?limit=1&after={Last}")).RequireHeader("Link", null)),
        new("GET /tasks?limit= may be larger than 10,000", session =>
            session.Api.GetAsync($"/tasks?limit=20000&after={Last}")),
        Filters("completed=true", "b"),
        Filters("completed=false", "ac"),
        Filters("priority=urgent", "ab"),
        Filters("priority=low", "c"),
        Filters("due_before=-62135596799", "a"),
        Filters("due_before=-62135596798.5", "ab"),
        Filters("completed=false&priority=urgent", "a"),
        Filters("unknown=1&unknown=2", "abc"),
        .. new[]
        {
            "limit=0", "limit=-1", "limit=", "limit=x", "limit=1.5", "limit=1&limit=1", "after=a_b", "completed=1",
            "completed=True", "priority=High", "due_before=tomorrow", "due_before=NaN", "due_before=1&due_before=2",
        }.Select(query => new Statement($"GET /tasks?{query} is 400 Invalid query", session =>
            session.Api.GetAsync($"/tasks?{query}", Expected.Problem(400, "Invalid query")))),
        new("a list that fits into 64 KiB has an ETag and is 304 to who has it", async session =>
        {
            var (_, _, before) = await CreateAsync(session);
            var path = $"/tasks?limit=1&after={before}";
            var list = await session.Api.GetAsync(path);
            var tag = list.Header("ETag") ?? list.Require(false, "expected an ETag").Body;
            await session.Api.GetAsync(path, new Expected(304) { ContentType = null }, ("If-None-Match", tag));
        }),
        new("HEAD /tasks answers as GET without a body", async session => TaskStatements.AssertSameHead(
            await session.Api.GetAsync($"/tasks?after={Last}"), await session.Api.HeadAsync($"/tasks?after={Last}"))),
    ];

    private static Statement Filters(string query, string titles) =>
        new($"GET /tasks?{query} lets through what it says", async session =>
        {
            var before = TaskStatements.IdOf(await session.CreateAsync());
            foreach (var task in Some)
            {
                await session.CreateAsync(task);
            }
            // Those of others come behind.
            var list = await session.Api.GetAsync($"/tasks?{query}&after={before}&limit={titles.Length}");
            list.Require(Titles(list) == titles, $"expected the tasks {titles}");
        });

    private static async Task<(string Path, string Id, string Before)> CreateAsync(ContractSession session)
    {
        var before = await session.CreateAsync();
        var path = await session.CreateAsync(TaskStatements.Full);
        return (path, TaskStatements.IdOf(path), TaskStatements.IdOf(before));
    }

    private static IEnumerable<string> Ids(ApiResponse list) => Members(list).Select(member => member.Name);

    private static string Titles(ApiResponse list) =>
        string.Concat(Members(list).Select(member => member.Value.GetProperty("title").GetString()));

    private static JsonElement.ObjectEnumerator Members(ApiResponse list) =>
        list.Require(list.Json.ValueKind == JsonValueKind.Object, "expected an object").Json.EnumerateObject();

    private static string? LinkOf(ApiResponse list) =>
        list.Header("Link") is { } link && link.EndsWith(">; rel=\"next\"", StringComparison.Ordinal)
            ? link[1..link.IndexOf('>', StringComparison.Ordinal)] : null;

    private static void Require(string titles, string expected)
    {
        if (titles != expected)
        {
            throw new AcceptanceException($"expected the tasks {expected} on two pages, were {titles}");
        }
    }
}
