using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

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
    [InlineData("127.0.0.1", "\"evil, 9.9.9.9", "9.9.9.9")]
    [InlineData("127.0.0.1", "evil\", \"9.9.9.9\"", "9.9.9.9")]
    [InlineData("127.0.0.1", "\"evil\n9.9.9.9", "9.9.9.9")]
    [InlineData("127.0.0.1", "198.51.100.1\n,\n9.9.9.9, ,", "9.9.9.9")]
    [InlineData("127.0.0.0/8", "9.9.9.9, garbage, 127.1.2.3", "127.1.2.3")]
    [InlineData("127.0.0.0/8", "9.9.9.9, unknown, 127.1.2.3", "127.1.2.3")]
    [InlineData("127.0.0.0/8", "9.9.9.9, ::ffff:127.1.2.3", "9.9.9.9")]
    [InlineData("127.0.0.1", "9.9.9.9:4711", "9.9.9.9")]
    [InlineData("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1")]
    [InlineData("127.0.0.1", "[2001:db8::1]", "2001:db8::1")]
    [InlineData("127.0.0.1", "unknown", "127.0.0.1")]
    [InlineData("127.0.0.1", "9.9.9.9, 1", "127.0.0.1")]
    [InlineData("127.0.0.1", "010.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1", "9.9.9.9:99999", "127.0.0.1")]
    public async Task The_address_in_the_log_is_the_last_one_that_a_trusted_proxy_vouches_for(
        string trusted, string forwarded, string ip)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: $"trusted-proxies: [{trusted}]");
        await SendAsync(service, ("X-Forwarded-For", forwarded));
        Assert.Equal(ip, LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[2])["ip"]);
    }

    [Theory]
    [InlineData("for=203.0.113.9", "203.0.113.9", null)]
    [InlineData("For=203.0.113.9;Proto=https;by=10.0.0.1", "203.0.113.9", "https")]
    [InlineData("proto=https ; for=\"203.0.113.9:4711\"", "203.0.113.9", "https")]
    [InlineData("for=\"[2001:db8::1]:4711\";proto=http", "2001:db8::1", null)]
    [InlineData("for=\"[2001:db8::1]\"", "2001:db8::1", null)]
    [InlineData("for=198.51.100.1, for=203.0.113.9;proto=https, for=10.1.2.3", "203.0.113.9", "https")]
    [InlineData("for=198.51.100.1;proto=https,for=203.0.113.9", "203.0.113.9", null)]
    [InlineData("for=198.51.100.1, for=unknown", "127.0.0.1", null)]
    [InlineData("for=198.51.100.1, for=_hidden, for=10.1.2.3", "10.1.2.3", null)]
    [InlineData("for=198.51.100.1, proto=https", "127.0.0.1", "https")]
    [InlineData("garbage, for=9.9.9.9", "9.9.9.9", null)]
    [InlineData("for=\"evil, for=9.9.9.9;proto=https", "9.9.9.9", "https")]
    [InlineData("for=\"evil\nfor=\"[2001:db8::1]:4711\"", "2001:db8::1", null)]
    [InlineData("evil\\\", for=9.9.9.9;x=\"\\\\\"", "9.9.9.9", null)]
    [InlineData("for=9.9.9.9, garbage, for=10.1.2.3", "10.1.2.3", null)]
    [InlineData("for=9.9.9.9;by=\"_a, b\", , ", "9.9.9.9", null)]
    [InlineData("for=\"9.9.9.9:_hidden\"", "9.9.9.9", null)]
    [InlineData("for=9.9.9.9;proto=ftp", "9.9.9.9", null)]
    [InlineData("for=203.0.113.9;;x=\"a\\\"b;for=1.1.1.1\",", "203.0.113.9", null)]
    [InlineData("for=\"1.1.1.1, 2.2.2.2\"", "127.0.0.1", null)]
    [InlineData("for=203.0.113.9;proto=\"https, http\"", "203.0.113.9", null)]
    [InlineData("for=", "127.0.0.1", null)]
    [InlineData("for=203.0.113.9 1.1.1.1", "127.0.0.1", null)]
    [InlineData("for=\"203.0.113.9", "127.0.0.1", null)]
    [InlineData("for=\"203.0.113.9\\", "127.0.0.1", null)]
    [InlineData("203.0.113.9", "127.0.0.1", null)]
    [InlineData("", "127.0.0.1", null)]
    public async Task The_standards_header_says_the_same_when_it_is_the_one_that_proxies_send(
        string forwarded, string ip, string? scheme)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: "trusted-proxies: [127.0.0.1, 10.0.0.0/8], forwarded-header: forwarded");
        await SendAsync(service, ("Forwarded", forwarded), ("X-Forwarded-For", "192.0.2.66"));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[2]);
        Assert.Equal((ip, scheme), (line["ip"], Scheme(line)));
    }

    [Theory]
    [InlineData("127.0.0.1", "https", "https")]
    [InlineData("127.0.0.1", "http", null)]
    [InlineData("127.0.0.1", "\"", null)]
    [InlineData("127.0.0.1", "\"evil, https", "https")]
    [InlineData("127.0.0.1", "https, http", null)]
    [InlineData("127.0.0.1", "http\n, HTTPS", "https")]
    [InlineData("", "https", null)]
    public async Task The_scheme_is_what_a_trusted_proxy_says(string trusted, string proto, string? scheme)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: $"trusted-proxies: [{trusted}]");
        await SendAsync(
            service, ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", proto),
            ("Forwarded", "for=192.0.2.66;proto=https"));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[2]);
        Assert.Equal((trusted.Length == 0 ? "127.0.0.1" : "203.0.113.9", scheme), (line["ip"], Scheme(line)));
    }

    [Theory]
    [InlineData("https", "https")]
    [InlineData("https, http", null)]
    [InlineData("http, https", "https")]
    public async Task Without_an_address_the_scheme_is_the_word_of_the_nearest_proxy_alone(
        string proto, string? scheme)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(
            logging: files.Yaml, service: "trusted-proxies: [127.0.0.1]");
        await SendAsync(service, ("X-Forwarded-Proto", proto));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[2]);
        Assert.Equal(("127.0.0.1", scheme), (line["ip"], Scheme(line)));
    }

    /// <summary>As bytes, since a client library would mend or refuse some of it; a value of several lines is several
    /// header lines.</summary>
    private static async Task SendAsync(RunningService service, params (string Name, string Value)[] headers)
    {
        var lines = headers.SelectMany(
            header => header.Value.Split('\n'), (header, value) => $"{header.Name}: {value}\r\n");
        var answer = await RawClient.SendAsync(
            service.Port, Encoding.Latin1.GetBytes($"GET /tasks HTTP/1.1\r\nHost: a\r\n{string.Concat(lines)}\r\n"));
        Assert.Equal(200, answer.Status);
    }

    private static string? Scheme(LogfmtLine line) => line.Keys.Contains("scheme") ? line["scheme"] : null;
}
