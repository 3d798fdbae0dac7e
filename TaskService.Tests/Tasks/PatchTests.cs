using System.Net.Http.Headers;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>JSON merge patch (RFC 7396).</summary>
public sealed class PatchTests : IAsyncLifetime
{
    private const string Full = """
        {"priority":"high","title":"t","description":"d","completed":true,"due_date":5}
        """;

    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync();

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Theory]
    [InlineData("{}", Full)]
    [InlineData("""{"title":"u"}""",
        """{"priority":"high","title":"u","description":"d","completed":true,"due_date":5}""")]
    [InlineData("""{"description":null}""", """{"priority":"high","title":"t","completed":true,"due_date":5}""")]
    [InlineData("""{"due_date":null}""", """{"priority":"high","title":"t","description":"d","completed":true}""")]
    [InlineData("""{"priority":null,"completed":null}""",
        """{"priority":"none","title":"t","description":"d","completed":false,"due_date":5}""")]
    [InlineData("""{"due_date":7.5,"priority":"low"}""",
        """{"priority":"low","title":"t","description":"d","completed":true,"due_date":7.5}""")]
    [InlineData("""{"unknown":null}""", Full)]
    public async Task What_is_given_replaces_null_removes_and_the_rest_stays(string patch, string result)
    {
        string[] types = ["application/merge-patch+json", "application/json", "application/x-www-form-urlencoded"];
        foreach (var type in types)
        {
            var path = await service.CreateAsync(Full);
            using var response = await PatchAsync(path, patch, type);
            Assert.Equal(204, (int)response.StatusCode);
            Assert.Null(response.Headers.ETag);
            Assert.Equal(result.Trim(), await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        }
    }

    [Theory]
    [InlineData("""{"title":null}""", "/title: is required")]
    [InlineData("""{"title":""}""", "/title: must not be empty")]
    [InlineData("""{"completed":1}""", "/completed: must be true or false")]
    [InlineData("""{"description":{"a":null}}""", "/description: must be a string")]
    [InlineData("""{"unknown":1}""", "/unknown: is not a known member")]
    [InlineData("[]", ": must be an object")]
    [InlineData("null", ": must be an object")]
    public async Task A_patch_that_no_task_could_take_is_400_even_where_there_is_no_task(string patch, string violation)
    {
        var path = await service.CreateAsync(Full);
        foreach (var target in new[] { path, "/tasks/none" })
        {
            using var response = await PatchAsync(target, patch, "application/merge-patch+json");
            var body = await ErrorBody.AssertAsync(response, 400, "JSON Schema validation failed", "PATCH", target);
            var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
            var (pointer, message) = (error.GetProperty("pointer"), error.GetProperty("message"));
            Assert.Equal(violation, $"{pointer.GetString()}: {message.GetString()}");
        }
        Assert.Equal(Full.Trim(), await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"title":"a","title":"b"}""")]
    [InlineData("""{"x":null,"x":null}""")]
    [InlineData("""{"\ud800":null}""")]
    public async Task A_patch_is_strict_JSON(string patch)
    {
        using var response = await PatchAsync("/tasks/none", patch, "application/merge-patch+json");
        await ErrorBody.AssertAsync(response, 400, "Invalid JSON body", "PATCH", "/tasks/none");
    }

    [Fact]
    public async Task A_foreign_type_is_415_and_says_what_can_be_sent()
    {
        using var response = await PatchAsync("/tasks/none", "{}", "application/json-patch+json");
        await ErrorBody.AssertAsync(response, 415, "Unsupported Media Type", "PATCH", "/tasks/none");
        Assert.Equal("application/merge-patch+json", Assert.Single(response.Headers.GetValues("Accept-Patch")));
    }

    [Fact]
    public async Task Patches_of_different_members_at_once_are_all_kept()
    {
        var path = await service.CreateAsync(Some.TaskJson);
        string[] patches =
            ["""{"description":"d"}""", """{"priority":"low"}""", """{"completed":true}""", """{"due_date":9}"""];
        for (var round = 0; round < TestRoot.Scale(10, 200); round++)
        {
            using var reset = await service.SendAsync("PUT", path, RunningService.Json(Some.TaskJson));
            var statuses = await Task.WhenAll(patches.Select(async patch =>
            {
                using var response = await PatchAsync(path, patch, "application/json");
                return (int)response.StatusCode;
            }));
            Assert.All(statuses, status => Assert.Equal(204, status));
            Assert.Equal(
                """{"priority":"low","title":"Task1","description":"d","completed":true,"due_date":9}""",
                await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        }
    }

    private Task<HttpResponseMessage> PatchAsync(string path, string patch, string type)
    {
        var content = new StringContent(patch, Encoding.UTF8);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        return service.SendAsync("PATCH", path, content);
    }
}
