using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

public sealed class ServerTimingTests
{
    private const string Header = "Server-Timing";

    [Theory]
    [InlineData("GET", "/tasks", "/tasks")]
    [InlineData("HEAD", "/tasks", "/tasks")]
    [InlineData("OPTIONS", "/tasks/none", "/tasks/{id}")]
    [InlineData("GET", "/tasks/none", "/tasks/{id}")]
    [InlineData("GET", "/nowhere", "_not_found")]
    [InlineData("PUT", "/tasks", "/tasks")]
    public async Task Every_answer_tells_its_route_and_its_time_when_that_is_asked_for(
        string method, string path, string route)
    {
        await using var service = await RunningService.StartAsync(http: "server-timing: true");
        using var answer = await service.SendAsync(method, path);
        Assert.Matches(
            $"^route;desc=\"{System.Text.RegularExpressions.Regex.Escape(route)}\";dur=[0-9]+(\\.[0-9]{{1,3}})?$",
            Assert.Single(answer.Headers.GetValues(Header)));
    }

    [Fact]
    public async Task No_answer_tells_its_time_otherwise()
    {
        await using var service = await RunningService.StartAsync();
        using var answer = await service.SendAsync("GET", "/tasks");
        Assert.False(answer.Headers.Contains(Header));
    }
}
