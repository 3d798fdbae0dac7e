using System.Net;
using System.Text;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>The five requests of the tutorial, over real HTTP, on an engine that a test class chooses.</summary>
public abstract class TasksTests : IAsyncLifetime
{
    private RunningService service = null!;

    private protected abstract string TaskDb { get; }

    private static string Task1 => File.ReadAllText(TestRoot.File("data", "tasks", "task1.json"));

    private static string Task2 => File.ReadAllText(TestRoot.File("data", "tasks", "task2.json"));

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync(TaskDb);

    public virtual async ValueTask DisposeAsync()
    {
        await service.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("/tasks")]
    [InlineData("/tasks/")]
    [InlineData("/tasks?x=1")]
    public async Task An_empty_list_is_an_empty_object(string path)
    {
        using var response = await service.SendAsync("GET", path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("{}", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("/tasks")]
    [InlineData("/tasks/")]
    public async Task A_task_is_created_under_a_new_id(string path)
    {
        using var response = await service.SendAsync("POST", path, RunningService.Json(Task1));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(0, response.Content.Headers.ContentLength);
        Assert.Matches("^/tasks/[0-9a-f]{32}$", response.Headers.Location?.OriginalString);
    }

    [Fact]
    public async Task A_created_task_is_read_back_at_its_location_and_in_the_list()
    {
        var location = await service.CreateAsync(Task1);
        foreach (var path in new[] { location, location + "/", location + "?x=1" })
        {
            AssertSame(Task1, await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        }
        AssertSame($$"""{"{{location["/tasks/".Length..]}}":{{Task1}}}""", await ListAsync());
    }

    [Fact]
    public async Task What_is_not_given_has_its_default()
    {
        var location = await service.CreateAsync("""{"title": "Task1"}""");
        Assert.Equal(
            """{"priority":"none","title":"Task1","completed":false}""",
            await service.Client.GetStringAsync(new Uri(location, UriKind.Relative)));
    }

    [Fact]
    public async Task A_task_is_replaced_whole()
    {
        var location = await service.CreateAsync(Task1);
        using var response = await service.SendAsync("PUT", location, RunningService.Json(Task2));
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("", await response.Content.ReadAsStringAsync());
        AssertSame(Task2, await service.Client.GetStringAsync(new Uri(location, UriKind.Relative)));
        using var smaller = await service.SendAsync("PUT", location + "/", RunningService.Json("""{"title":"only"}"""));
        Assert.Equal(HttpStatusCode.NoContent, smaller.StatusCode);
        Assert.Equal(
            """{"priority":"none","title":"only","completed":false}""",
            await service.Client.GetStringAsync(new Uri(location, UriKind.Relative)));
    }

    [Fact]
    public async Task A_deleted_task_is_gone()
    {
        var location = await service.CreateAsync(Task1);
        using var response = await service.SendAsync("DELETE", location);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        var message = $"Task '{location["/tasks/".Length..]}' does not exist";
        using var get = await service.SendAsync("GET", location);
        await ErrorBody.AssertAsync(get, 404, message, "GET", location);
        using var delete = await service.SendAsync("DELETE", location);
        await ErrorBody.AssertAsync(delete, 404, message, "DELETE", location);
        Assert.Equal("{}", await ListAsync());
    }

    [Fact]
    public async Task A_list_is_in_the_order_of_creation()
    {
        var locations = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            locations.Add(await service.CreateAsync($$"""{"title":"{{i}}"}"""));
        }
        using var list = JsonDocument.Parse(await ListAsync());
        Assert.Equal(locations, list.RootElement.EnumerateObject().Select(member => "/tasks/" + member.Name));
    }

    [Fact]
    public async Task A_long_list_is_whole_and_HEAD_says_what_GET_has()
    {
        var title = new string('x', 1_000);
        for (var i = 0; i < 100; i++)
        {
            await service.CreateAsync($$"""{"title":"{{title}}"}""");
        }
        using var list = JsonDocument.Parse(await ListAsync());
        var titles = list.RootElement.EnumerateObject().Select(member => member.Value.GetProperty("title").GetString());
        Assert.Equal(100, titles.Count(listed => listed == title));
        using var head = await service.SendAsync("HEAD", "/tasks");
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal("", await head.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("""{"title":"caf\u00e9 \ud83d\ude00 </script> \\ \" \t \u2028","description":""}""")]
    [InlineData("""{"title":"t","due_date":1663738852.5}""")]
    [InlineData("""{"title":"t","due_date":-62135596800}""")]
    [InlineData("""{"title":"t","due_date":1.5e9}""")]
    public async Task Whatever_a_task_may_hold_comes_back(string task)
    {
        var location = await service.CreateAsync(task);
        using var sent = JsonDocument.Parse(task);
        using var got = JsonDocument.Parse(await service.Client.GetStringAsync(new Uri(location, UriKind.Relative)));
        foreach (var member in sent.RootElement.EnumerateObject())
        {
            var value = got.RootElement.GetProperty(member.Name);
            Assert.True(
                member.Value.ValueKind == JsonValueKind.Number
                    ? member.Value.GetDouble().Equals(value.GetDouble()) : JsonElement.DeepEquals(member.Value, value),
                $"{member} came back as {value}");
        }
    }

    [Fact]
    public async Task Three_writers_and_three_readers_of_one_task_see_it_whole()
    {
        var location = await service.CreateAsync(Task1);
        var rounds = TestRoot.Scale(100, 3_000);
        var writers = Enumerable.Range(0, 3).Select(async writer =>
        {
            for (var i = 0; i < rounds; i++)
            {
                var body = RunningService.Json(writer % 2 == 0 ? Task1 : Task2);
                using var put = await service.SendAsync("PUT", location, body);
                Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
            }
        });
        var readers = Enumerable.Range(0, 3).Select(async _ =>
        {
            for (var i = 0; i < rounds; i++)
            {
                var text = await service.Client.GetStringAsync(new Uri(location, UriKind.Relative));
                Assert.Contains(Normal(text), new[] { Normal(Task1), Normal(Task2) });
            }
        });
        await Task.WhenAll(writers.Concat(readers));
    }

    private static void AssertSame(string expected, string actual) => Assert.Equal(Normal(expected), Normal(actual));

    /// <summary>The same JSON in one form: members in order of their names, no white space.</summary>
    private static string Normal(string json)
    {
        using var document = JsonDocument.Parse(json);
        var text = new StringBuilder();
        Append(document.RootElement);
        return text.ToString();

        void Append(JsonElement element)
        {
            if (element.ValueKind != JsonValueKind.Object)
            {
                text.Append(element.GetRawText());
                return;
            }
            foreach (var member in element.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
            {
                text.Append('(').Append(member.Name).Append(':');
                Append(member.Value);
                text.Append(')');
            }
        }
    }

    private Task<string> ListAsync() => service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative));
}

public sealed class TasksOnMemoryTests : TasksTests
{
    private protected override string TaskDb => "memory:";
}

public sealed class TasksOnFilesTests : TasksTests
{
    private readonly TemporaryDirectory directory = new();

    private protected override string TaskDb => $"fs: '{directory.Path}'";

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        directory.Dispose();
    }
}
