using TaskService.Tests.Support;

namespace TaskService.Tests.Api;

/// <summary>Whose word on the address of the client is taken.</summary>
public sealed class ProxyTests
{
    [Theory]
    [InlineData("", "203.0.113.9", "127.0.0.1")]
    [InlineData("127.0.0.1", "203.0.113.9", "203.0.113.9")]
    [InlineData("127.0.0.0/8", "2001:db8::1", "2001:db8::1")]
    [InlineData("10.0.0.0/8", "203.0.113.9", "127.0.0.1")]
    [InlineData("127.0.0.1, 10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9")]
    [InlineData("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("127.0.0.1", "nonsense", "127.0.0.1")]
    [InlineData("127.0.0.1", "\" x=1", "127.0.0.1")]
    public async Task The_address_in_the_log_is_the_last_one_that_a_trusted_proxy_vouches_for(
        string trusted, string forwarded, string ip)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: $"trusted-proxies: [{trusted}]");
        using var response = await service.SendAsync("GET", "/tasks", null, ("X-Forwarded-For", forwarded));
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(ip, LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[2])["ip"]);
    }
}
