using System.Text.Json;
using TaskService.Tests.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Projects;

public sealed class MilestoneTests : IAsyncLifetime
{
    private const string Sow = """{"title":"Sow"}""";

    private RunningService service = null!;

    public static TheoryData<string> Engines => TestEngine.Names;

    public async ValueTask InitializeAsync() => service = await RunningProjects.StartAsync();

    public async ValueTask DisposeAsync() => await service.DisposeAsync();

    [Fact]
    public async Task A_milestone_is_created_read_replaced_patched_and_deleted()
    {
        var project = await service.CreateAsync("/projects", """{"name":"Garden"}""");
        var path = await service.CreateAsync($"{project}/milestones", """{"title":"Sow","due_date":1806526800.5}""");
        Assert.StartsWith($"{project}/milestones/", path, StringComparison.Ordinal);
        Assert.Equal("""{"title":"Sow","due_date":1806526800.5,"done":false}""", await service.ReadAsync(path));
        Assert.Equal("204", await service.StatusAsync("PATCH", path, """{"due_date":null,"done":true}"""));
        Assert.Equal("""{"title":"Sow","done":true}""", await service.ReadAsync(path));
        Assert.Equal("204", await service.StatusAsync("PUT", path, """{"title":"Reap"}"""));
        Assert.Equal("""{"title":"Reap","done":false}""", await service.ReadAsync(path));
        Assert.Equal("200", await service.StatusAsync("HEAD", path));
        using var read = await service.SendAsync("GET", path);
        var tag = ("If-None-Match", read.Headers.ETag!.Tag);
        Assert.Equal("304", await service.StatusAsync("GET", path, null, tag));
        Assert.Equal("412 Precondition Failed", await service.StatusAsync("PUT", path, Sow, tag));
        Assert.Equal("204", await service.StatusAsync("DELETE", path));
        Assert.Equal(
            $"404 Milestone '{path.Split('/')[^1]}' does not exist", await service.StatusAsync("GET", path));
    }

    [Theory]
    [InlineData("GET", "/milestones")]
    [InlineData("POST", "/milestones")]
    [InlineData("GET", "/milestones/m")]
    [InlineData("PUT", "/milestones/m")]
    [InlineData("PATCH", "/milestones/m")]
    [InlineData("DELETE", "/milestones/m")]
    public async Task Without_its_project_there_is_nothing(string method, string path)
    {
        var body = method is "GET" or "DELETE" ? null : Sow;
        Assert.Equal("404 Project 'p' does not exist", await service.StatusAsync(method, $"/projects/p{path}", body));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task In_another_project_it_is_not_found_whatever_its_version_is(string method)
    {
        var project = await service.CreateAsync("/projects", """{"name":"Garden"}""");
        var other = await service.CreateAsync("/projects", """{"name":"House"}""");
        var path = await service.CreateAsync($"{project}/milestones", Sow);
        var id = path.Split('/')[^1];
        var body = method is "GET" or "DELETE" ? null : """{"title":"Reap"}""";
        (string, string)[][] conditions = [[], [("If-Match", "*")], [("If-Match", "\"x\"")]];
        foreach (var condition in conditions)
        {
            Assert.Equal(
                $"404 Milestone '{id}' does not exist",
                await service.StatusAsync(method, $"{other}/milestones/{id}", body, condition));
        }
        Assert.Equal("""{"title":"Sow","done":false}""", await service.ReadAsync(path));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_project_is_kept_as_long_as_it_has_milestones(string name)
    {
        using var engine = new TestEngine(name);
        await using var running = await RunningProjects.StartAsync(engine.Configuration);
        var project = await running.CreateAsync("/projects", """{"name":"Garden"}""");
        var milestone = await running.CreateAsync($"{project}/milestones", Sow);
        var id = project.Split('/')[^1];
        Assert.Equal($"409 Project '{id}' is in use", await running.StatusAsync("DELETE", project));
        Assert.Equal(
            $"409 Project '{id}' is in use", await running.StatusAsync("DELETE", project, null, ("If-Match", "*")));
        Assert.Equal("204", await running.StatusAsync("DELETE", milestone));
        Assert.Equal("204", await running.StatusAsync("DELETE", project));
        Assert.Equal(
            $"404 Project '{id}' does not exist", await running.StatusAsync("POST", $"{project}/milestones", Sow));
    }

    [Fact]
    public async Task A_list_has_those_of_its_project_with_filters_and_pages()
    {
        var project = await service.CreateAsync("/projects", """{"name":"Garden"}""");
        var other = await service.CreateAsync("/projects", """{"name":"House"}""");
        await service.CreateAsync($"{project}/milestones", """{"title":"a","due_date":10}""");
        await service.CreateAsync($"{other}/milestones", """{"title":"b","due_date":10}""");
        await service.CreateAsync($"{project}/milestones", """{"title":"c","due_date":20,"done":true}""");
        await service.CreateAsync($"{project}/milestones", """{"title":"d","done":true}""");
        Assert.Equal("acd", await TitlesAsync($"{project}/milestones"));
        Assert.Equal("cd", await TitlesAsync($"{project}/milestones?done=true"));
        Assert.Equal("a", await TitlesAsync($"{project}/milestones?due_before=20"));
        Assert.Equal("b", await TitlesAsync($"{other}/milestones"));
        using var page = await service.SendAsync("GET", $"{project}/milestones?done=true&limit=1");
        var next = Assert.Single(page.Headers.GetValues("Link")).Split('<', '>')[1];
        Assert.Equal("d", await TitlesAsync(next));
    }

    [Fact]
    public async Task A_key_is_one_in_each_project()
    {
        var project = await service.CreateAsync("/projects", """{"name":"Garden"}""");
        var other = await service.CreateAsync("/projects", """{"name":"House"}""");
        foreach (var path in new[] { project, other, project, other })
        {
            using var response = await service.SendAsync(
                "POST", $"{path}/milestones", RunningService.Json(Sow), ("Idempotency-Key", "k"));
            Assert.Equal("""{"title":"Sow","done":false}""",
                await service.ReadAsync(response.Headers.Location!.OriginalString));
        }
        Assert.Equal("Sow", await TitlesAsync($"{project}/milestones"));
        Assert.Equal("Sow", await TitlesAsync($"{other}/milestones"));
    }

    private async Task<string> TitlesAsync(string path) => string.Concat(
        JsonElement.Parse(await service.ReadAsync(path)).EnumerateObject()
            .Select(one => one.Value.GetProperty("title").GetString()));
}
