using System.Globalization;
using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>Pages and filters of the list.</summary>
public sealed class ListTests : IAsyncLifetime
{
    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync();

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Theory]
    [InlineData(1, 10)]
    [InlineData(3, 10)]
    [InlineData(5, 10)]
    [InlineData(10, 10)]
    [InlineData(11, 10)]
    [InlineData(20000, 10)]
    public async Task The_pages_of_a_list_are_the_list(int limit, int count)
    {
        var ids = await CreateAsync(count, new string('x', 10));
        var walk = await WalkAsync($"/tasks?limit={limit}");
        Assert.Equal(ids, walk.Ids);
        Assert.Equal((count + limit - 1) / limit, walk.Pages);
    }

    [Fact]
    public async Task Pages_that_are_larger_than_what_is_sent_at_once_are_right_too()
    {
        var ids = await CreateAsync(50, new string('x', 10_000));
        foreach (var limit in new[] { 7, 13, 14, 25, 49, 50 })
        {
            var walk = await WalkAsync($"/tasks?limit={limit}");
            Assert.Equal(ids, walk.Ids);
            Assert.Equal((50 + limit - 1) / limit, walk.Pages);
        }
    }

    [Fact]
    public async Task A_page_begins_after_any_id()
    {
        var ids = await CreateAsync(5, "d");
        Assert.Equal(ids.Skip(2), (await WalkAsync($"/tasks?after={ids[1]}")).Ids);
        Assert.Equal(ids, (await WalkAsync("/tasks?after=-")).Ids);
        Assert.Empty((await WalkAsync($"/tasks?after={ids[4]}")).Ids);
        Assert.Empty((await WalkAsync("/tasks?after=zzz")).Ids);
    }

    [Theory]
    [InlineData("completed=true", "b")]
    [InlineData("completed=false", "a,c,d")]
    [InlineData("priority=high", "a,b")]
    [InlineData("priority=none", "c,d")]
    [InlineData("due_before=10", "a")]
    [InlineData("due_before=10.000001", "a,b")]
    [InlineData("due_before=1e300", "a,b,c")]
    [InlineData("due_before=-1e300", "")]
    [InlineData("completed=false&priority=high&due_before=9", "a")]
    [InlineData("unknown=1&unknown=2", "a,b,c,d")]
    [InlineData("Completed=maybe", "a,b,c,d")]
    [InlineData("due%5Fbefore=10", "a")]
    public async Task A_filter_lets_through_what_it_says_on_every_page(string filter, string titles)
    {
        await service.CreateAsync("""{"title":"a","priority":"high","due_date":5}""");
        await service.CreateAsync("""{"title":"b","priority":"high","completed":true,"due_date":10}""");
        await service.CreateAsync("""{"title":"c","due_date":253402300799}""");
        await service.CreateAsync("""{"title":"d"}""");
        Assert.Equal(titles, string.Join(',', (await WalkAsync($"/tasks?{filter}")).Titles));
        Assert.Equal(titles, string.Join(',', (await WalkAsync($"/tasks?{filter}&limit=1")).Titles));
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=-1")]
    [InlineData("limit=")]
    [InlineData("limit=1.5")]
    [InlineData("limit=x")]
    [InlineData("limit=1&limit=1")]
    [InlineData("after=a_b")]
    [InlineData("after=")]
    [InlineData("completed=1")]
    [InlineData("completed=True")]
    [InlineData("completed")]
    [InlineData("priority=High")]
    [InlineData("priority=high,low")]
    [InlineData("due_before=tomorrow")]
    [InlineData("due_before=NaN")]
    [InlineData("due_before=Infinity")]
    [InlineData("due_before=1&due_before=2")]
    public async Task A_query_that_cannot_be_meant_is_400(string query)
    {
        using var response = await service.SendAsync("GET", $"/tasks?{query}");
        var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", "GET", "/tasks");
        Assert.StartsWith(query.Split('=')[0], body.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_is_walked_while_others_write_and_every_lasting_task_comes_once()
    {
        var lasting = await CreateAsync(60, new string('x', 5_000));
        using var enough = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                var path = await service.CreateAsync(Some.TaskJson);
                using var deleted = await service.SendAsync("DELETE", path);
            }
        });
        for (var round = 0; round < TestRoot.Scale(5, 100); round++)
        {
            var ids = (await WalkAsync("/tasks?limit=20")).Ids;
            Assert.Equal(lasting, ids.Where(lasting.Contains));
            Assert.Equal(ids.Count, ids.Distinct().Count());
        }
        await enough.CancelAsync();
        await writer;
    }

    [Theory]
    [InlineData(3, 10)]
    [InlineData(40, 5_000)]
    [InlineData(300, 5_000)]
    public async Task A_list_that_is_asked_for_again_is_the_same_and_each_change_shows_at_once(int count, int length)
    {
        // In one piece, in several, and in more than are kept.
        var ids = await CreateAsync(count, new string('x', length));
        await AssertListAsync(ids, "t");
        using var replaced = await service.SendAsync(
            "PUT", $"/tasks/{ids[1]}", RunningService.Json("""{"title":"changed"}"""));
        await AssertListAsync(ids, "changed");
        using var deleted = await service.SendAsync("DELETE", $"/tasks/{ids[1]}");
        ids.RemoveAt(1);
        await AssertListAsync(ids, "t");
        ids.AddRange(await CreateAsync(1, ""));
        await AssertListAsync(ids, "t");
    }

    [Fact]
    public async Task A_task_that_takes_more_than_a_piece_alone_comes_as_every_other()
    {
        var escapes = string.Concat(Enumerable.Repeat("\\u0001", 1_000));
        var large = $$"""{"title":"{{escapes}}","description":"{{string.Concat(Enumerable.Repeat(escapes, 10))}}"}""";
        Assert.InRange(large.Length, ListBody<TaskEntry>.PieceBytesMax, int.MaxValue);
        foreach (var json in new[] { large, Some.TaskJson, large, large, Some.TaskJson })
        {
            await service.CreateAsync(json);
        }
        var all = (await WalkAsync("/tasks")).Ids;
        Assert.Equal(5, all.Count);
        foreach (var limit in Enumerable.Range(1, 5))
        {
            Assert.Equal(all, (await WalkAsync($"/tasks?limit={limit}")).Ids);
        }
    }

    [Fact]
    public async Task No_list_is_older_than_a_change_that_was_acknowledged_before_it_was_asked_for()
    {
        var path = await service.CreateAsync("""{"title":"0"}""");
        await CreateAsync(20, new string('x', 100));
        var (acknowledged, rounds) = (0, TestRoot.Scale(300, 10_000));
        var writer = Task.Run(async () =>
        {
            for (var number = 1; number <= rounds; number++)
            {
                using var done = await service.SendAsync(
                    "PUT", path, RunningService.Json($$"""{"title":"{{number}}"}"""));
                Volatile.Write(ref acknowledged, number);
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!writer.IsCompleted)
            {
                var least = Volatile.Read(ref acknowledged);
                var number = int.Parse((await WalkAsync("/tasks")).Titles[0], CultureInfo.InvariantCulture);
                Assert.InRange(number, least, rounds);
            }
        })));
        await writer;
        Assert.Equal($"{rounds}", (await WalkAsync("/tasks")).Titles[0]);
    }

    private async Task AssertListAsync(List<string> ids, string secondTitle)
    {
        for (var time = 0; time < 4; time++)
        {
            var walk = await WalkAsync("/tasks");
            Assert.Equal(ids, walk.Ids);
            Assert.Equal(secondTitle, walk.Titles[1]);
        }
    }

    private async Task<List<string>> CreateAsync(int count, string description)
    {
        var ids = new List<string>();
        for (var i = 0; i < count; i++)
        {
            var path = await service.CreateAsync($$"""{"title":"t","description":"{{description}}"}""");
            ids.Add(path["/tasks/".Length..]);
        }
        return ids;
    }

    private async Task<Walk> WalkAsync(string path)
    {
        var walk = new Walk([], []);
        for (var next = path; next is not null; walk = walk with { Pages = walk.Pages + 1 })
        {
            using var response = await service.SendAsync("GET", next);
            Assert.Equal(200, (int)response.StatusCode);
            using var page = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            foreach (var member in page.RootElement.EnumerateObject())
            {
                walk.Ids.Add(member.Name);
                walk.Titles.Add(member.Value.GetProperty("title").GetString()!);
            }
            next = null;
            if (response.Headers.TryGetValues("Link", out var links))
            {
                var link = Assert.Single(links);
                Assert.EndsWith(">; rel=\"next\"", link, StringComparison.Ordinal);
                next = link[1..link.IndexOf('>', StringComparison.Ordinal)];
            }
        }
        return walk;
    }

    private sealed record Walk(List<string> Ids, List<string> Titles, int Pages = 0);
}
