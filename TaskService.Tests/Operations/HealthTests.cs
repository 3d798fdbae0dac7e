using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

public sealed class HealthTests
{
    [Theory]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    public async Task A_running_service_is_live_and_ready(string path)
    {
        await using var service = await RunningService.StartAsync();
        using var response = await service.SendAsync("GET", path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("""{"status":"healthy"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        using var head = await service.SendAsync("HEAD", path);
        Assert.Equal("no-store", head.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task During_shutdown_it_is_live_but_not_ready_and_still_responds()
    {
        // The delay is the time that balancers have; the test needs it only to be longer than a few requests.
        await using var service = await RunningService.StartAsync(service: "pre-stop-delay-ms: 3000");
        using var before = await service.SendAsync("GET", "/tasks");
        Assert.Null(before.Headers.ConnectionClose);
        var stopped = service.StopAsync();
        using var ready = await service.SendAsync("GET", "/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("""{"status":"unhealthy"}""", await ready.Content.ReadAsStringAsync());
        Assert.Equal("no-store", ready.Headers.CacheControl?.ToString());
        using var live = await service.SendAsync("GET", "/health/live");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        using var tasks = await service.SendAsync("GET", "/tasks");
        Assert.Equal(HttpStatusCode.OK, tasks.StatusCode);
        Assert.True(tasks.Headers.ConnectionClose);
        await stopped;
        await Assert.ThrowsAsync<HttpRequestException>(() => service.SendAsync("GET", "/health/live"));
    }
}
