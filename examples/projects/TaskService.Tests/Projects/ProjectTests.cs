using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using TaskService.Tests.Docs;
using TaskService.Tests.Support;

namespace TaskService.Tests.Projects;

public sealed class ProjectTests : IAsyncLifetime
{
    private readonly FakeTimeProvider time = new(DateTimeOffset.UnixEpoch.AddSeconds(1_795_726_800.25));
    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningProjects.StartAsync(time: time);

    public async ValueTask DisposeAsync() => await service.DisposeAsync();

    [Theory]
    [InlineData("GET", "/projects")]
    [InlineData("POST", "/projects")]
    [InlineData("DELETE", "/projects/a")]
    [InlineData("GET", "/projects/a/milestones")]
    [InlineData("PATCH", "/projects/a/milestones/b")]
    public async Task Nobody_gets_in_without_the_token(string method, string path)
    {
        service.Client.DefaultRequestHeaders.Authorization = null;
        Assert.Equal("401 Unauthorized", await service.StatusAsync(method, path));
        Assert.Equal("401 Unauthorized", await service.StatusAsync(method, path, null, ("Authorization", "Bearer x")));
        Assert.Equal("200", await service.StatusAsync("GET", "/tasks"));
    }

    [Fact]
    public async Task A_project_is_created_read_replaced_patched_and_deleted()
    {
        var path = await service.CreateAsync("/projects", """{"name":"Garden"}""");
        Assert.Equal("""{"name":"Garden","archived":false,"created":1795726800.25}""", await service.ReadAsync(path));
        Assert.Equal("204", await service.StatusAsync("PUT", path, """{"name":"Park","archived":true}"""));
        Assert.Equal("""{"name":"Park","archived":true,"created":1795726800.25}""", await service.ReadAsync(path));
        Assert.Equal("204", await service.StatusAsync("PATCH", path, """{"archived":null}"""));
        Assert.Equal("""{"name":"Park","archived":false,"created":1795726800.25}""", await service.ReadAsync(path));
        Assert.Equal("200", await service.StatusAsync("HEAD", path));
        Assert.Equal("204", await service.StatusAsync("DELETE", path));
        var id = path.Split('/')[^1];
        foreach (var method in new[] { "GET", "PUT", "PATCH", "DELETE" })
        {
            var body = method is "PUT" or "PATCH" ? """{"name":"x"}""" : null;
            Assert.Equal($"404 Project '{id}' does not exist", await service.StatusAsync(method, path, body));
        }
    }

    [Fact]
    public async Task The_time_of_the_create_is_never_that_of_a_client()
    {
        var path = await service.CreateAsync("/projects", """{"name":"a","created":1}""");
        var created = await service.ReadAsync(path);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("204", await service.StatusAsync("PUT", path, """{"name":"a","created":2}"""));
        Assert.Equal("204", await service.StatusAsync("PATCH", path, """{"created":3}"""));
        Assert.Equal("204", await service.StatusAsync("PATCH", path, """{"created":null}"""));
        Assert.Equal("204", await service.StatusAsync("PUT", path, created));
        Assert.Equal("""{"name":"a","archived":false,"created":1795726800.25}""", created);
        Assert.Equal(created, await service.ReadAsync(path));
    }

    [Theory]
    [InlineData("""{"archived":true}""", "/name is required")]
    [InlineData("""{"name":""}""", "/name must not be empty")]
    [InlineData("""{"name":"a","archived":1}""", "/archived must be true or false")]
    [InlineData("""{"name":"a","created":"now"}""", "/created must be a number")]
    [InlineData("""{"name":"a","colour":1}""", "/colour is not a known member")]
    public async Task A_wrong_body_is_refused_and_it_says_why(string json, string violation)
    {
        using var response = await service.SendAsync("POST", "/projects", RunningService.Json(json));
        Assert.Equal(400, (int)response.StatusCode);
        var error = JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("errors")[0];
        Assert.Equal(violation, $"{error.GetProperty("pointer")} {error.GetProperty("message")}");
    }

    [Fact]
    public async Task A_name_may_have_200_code_points()
    {
        var most = string.Concat(Enumerable.Repeat("\U0001F600", 200));
        Assert.Equal("201", await service.StatusAsync("POST", "/projects", $$"""{"name":"{{most}}"}"""));
        Assert.Equal(
            "400 JSON Schema validation failed",
            await service.StatusAsync("POST", "/projects", $$"""{"name":"{{most}}x"}"""));
    }

    [Fact]
    public async Task Conditions_guard_reads_and_changes()
    {
        var path = await service.CreateAsync("/projects", """{"name":"a"}""");
        using var read = await service.SendAsync("GET", path);
        var tag = read.Headers.ETag!.Tag;
        Assert.Equal("304", await service.StatusAsync("GET", path, null, ("If-None-Match", tag)));
        Assert.Equal("204", await service.StatusAsync("PUT", path, """{"name":"b"}""", ("If-Match", tag)));
        foreach (var method in new[] { "PUT", "PATCH", "DELETE" })
        {
            Assert.Equal(
                "412 Precondition Failed",
                await service.StatusAsync(
                    method, path, method == "DELETE" ? null : """{"name":"c"}""", ("If-Match", tag)));
        }
    }

    [Fact]
    public async Task A_list_has_filters_and_pages()
    {
        foreach (var i in Enumerable.Range(0, 5))
        {
            await service.CreateAsync("/projects", $$"""{"name":"{{i}}","archived":{{(i < 3 ? "true" : "false")}}}""");
        }
        Assert.Equal(["0", "1", "2", "3", "4"], await NamesAsync("/projects"));
        Assert.Equal(["3", "4"], await NamesAsync("/projects?archived=false"));
        using var page = await service.SendAsync("GET", "/projects?archived=true&limit=2");
        var next = Assert.Single(page.Headers.GetValues("Link")).Split('<', '>')[1];
        Assert.Equal(["2"], await NamesAsync(next));
        Assert.Equal("400 Invalid query", await service.StatusAsync("GET", "/projects?archived=maybe"));
    }

    [Fact]
    public async Task A_retry_with_the_same_key_makes_no_second_project()
    {
        var (first, again) = (await CreateAsync("/projects", "a"), await CreateAsync("/projects", "a"));
        Assert.Equal(first, again);
        Assert.Single(await NamesAsync("/projects"));
        Assert.Equal(
            "422 Idempotency-Key reused",
            await service.StatusAsync("POST", "/projects", """{"name":"b"}""", ("Idempotency-Key", "k")));
        // Tasks have keys of their own.
        Assert.Equal(
            "201", await service.StatusAsync("POST", "/tasks", """{"title":"b"}""", ("Idempotency-Key", "k")));

        async Task<string> CreateAsync(string path, string name)
        {
            using var response = await service.SendAsync(
                "POST", path, RunningService.Json($$"""{"name":"{{name}}"}"""), ("Idempotency-Key", "k"));
            return response.Headers.Location!.OriginalString;
        }
    }

    [Fact]
    public async Task Each_request_of_the_http_file_is_answered_as_it_says() => Assert.Equal(
        [201, 201, 200, 204, 409, 204],
        await HttpFileTests.RunAsync(service, TestRoot.File("TaskService", "Projects", "Projects.http")));

    private async Task<IEnumerable<string?>> NamesAsync(string path) =>
        JsonElement.Parse(await service.ReadAsync(path)).EnumerateObject()
            .Select(one => one.Value.GetProperty("name").GetString());
}
