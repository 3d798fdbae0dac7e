using System.Net;
using System.Net.Sockets;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>Where the service listens: the settings, the variables of ASP.NET Core, and the sockets.</summary>
public sealed class ListenTests
{
    private const string Silent = "logging: { handlers: { console: { type: console, level: none } } }";
    private const string Tls = "tls: { cert: c, key: k }";

    [Theory]
    [InlineData("", "", "0.0.0.0:8080")]
    [InlineData("address: localhost, port: 1", "", "localhost:1")]
    [InlineData("address: '*', port: 1", "", "*:1")]
    [InlineData("address: '+', port: 1", "", "*:1")]
    [InlineData("address: '::', port: 1", "", "[::]:1")]
    [InlineData("urls: ['http://localhost:1', '[::1]:2']", "", "localhost:1 [::1]:2")]
    [InlineData("", "ASPNETCORE_URLS=http://+:4", "*:4")]
    [InlineData("", "ASPNETCORE_URLS=HTTP://*:4/", "*:4")]
    [InlineData("", "ASPNETCORE_URLS=http://LOCALHOST:4", "localhost:4")]
    [InlineData("", "ASPNETCORE_URLS=http://127.0.0.1:4/", "127.0.0.1:4")]
    [InlineData("", "ASPNETCORE_URLS=http://[::1]:4", "[::1]:4")]
    [InlineData("", "ASPNETCORE_URLS=http://[::1]", "[::1]:80")]
    [InlineData(Tls, "ASPNETCORE_URLS=https://+", "*:443")]
    [InlineData("port: 1, address: 127.0.0.1", "ASPNETCORE_URLS=http://+:4;http://localhost:5;", "*:4 localhost:5")]
    [InlineData("", "ASPNETCORE_URLS=http://+:4;http://*:4", "*:4")]
    [InlineData("urls: ['http://localhost:1']", "ASPNETCORE_URLS=http://+:4", "*:4")]
    [InlineData("", "HTTP_PORTS=1;2", "*:1 *:2")]
    [InlineData("", "ASPNETCORE_HTTP_PORTS=1 HTTP_PORTS=2", "*:1")]
    [InlineData("address: 127.0.0.1", "HTTP_PORTS=1;2", "127.0.0.1:1 127.0.0.1:2")]
    [InlineData("address: '::1'", "HTTP_PORTS=1", "[::1]:1")]
    [InlineData("port: 3", "HTTP_PORTS=1;2", "0.0.0.0:3")]
    [InlineData("urls: ['http://localhost:3']", "HTTP_PORTS=1;2", "localhost:3")]
    [InlineData(Tls, "HTTP_PORTS=1 HTTPS_PORTS=2;3", "*:1 *:2 *:3")]
    [InlineData(Tls, "HTTP_PORTS=1", "*:1")]
    [InlineData("", "ASPNETCORE_URLS=http://[::1]:4;http://+:5 PORT=6", "[::1]:6")]
    [InlineData("", "ASPNETCORE_URLS=http://+:4;http://[::1]:5 {0}SERVICE__ADDRESS=::1", "[::1]:4 [::1]:5")]
    [InlineData("", "HTTP_PORTS=1;2 {0}SERVICE__ADDRESS=localhost", "localhost:1 localhost:2")]
    [InlineData("port: 3", "{0}SERVICE__URLS=http://localhost:1,http://[::1]:2", "localhost:1 [::1]:2")]
    [InlineData("port: 3", "{0}service__Urls=http://localhost:1", "localhost:1")]
    [InlineData("urls: []", "HTTPS_PORTS= HTTP_PORTS=", "0.0.0.0:8080")]
    public void Every_address_is_listened_on(string service, string environment, string addresses)
    {
        var settings = Read(service, environment);
        Assert.Equal(addresses, string.Join(' ', settings.Service.Addresses));
        var printed = Print(service, environment);
        Assert.Equal(
            settings.Service.Addresses,
            Settings.Read("again.yaml", printed, new Dictionary<string, string>(), new()).Settings.Service.Addresses);
    }

    [Theory]
    [InlineData("nonsense", "must be a URL such as http://+:8080, http://localhost:8080 or http://[::1]:80, not \"no")]
    [InlineData("http://example.org:80", "must be a URL such as ")]
    [InlineData("http://+:x", "must be a URL such as ")]
    [InlineData("http://+:65536", "must be a URL such as ")]
    [InlineData("http://+:", "must be a URL such as ")]
    [InlineData("http://::1:80", "must be a URL such as ")]
    [InlineData("http://8080", "must be a URL such as ")]
    [InlineData("http://me:secret@[::1", "must be a URL such as http://+:8080, http://localhost:8080 or ")]
    [InlineData("http://unix:/run/x.sock", "\"http://unix:/run/x.sock\" is a Unix socket or a pipe; only addresses ")]
    [InlineData("http://pipe:/x", "\"http://pipe:/x\" is a Unix socket or a pipe; only addresses ")]
    [InlineData("http://+:80/api", "\"http://+:80/api\" must have no path")]
    [InlineData("net.tcp://+:80", "\"net.tcp://+:80\" is neither http:// nor https://")]
    [InlineData("http://localhost:0", "\"http://localhost:0\": no free port is chosen for localhost, which is two ")]
    [InlineData("https://+:1", "\"https://+:1\" wants service.tls.cert and service.tls.key")]
    [InlineData("http://+:1;https://+:2", "\"https://+:2\" wants service.tls.cert and service.tls.key")]
    public void A_URL_that_cannot_be_listened_on_is_one_problem(string urls, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read("", $"ASPNETCORE_URLS={urls}"));
        Assert.StartsWith(
            $"environment ASPNETCORE_URLS: service.urls: {problem}",
            Assert.Single(error.Problems),
            StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "HTTP_PORTS=x", "environment HTTP_PORTS: service.urls: must be a URL such as ")]
    [InlineData("", "HTTPS_PORTS=1", "environment HTTPS_PORTS: service.urls: \"https://*:1\" wants service.tls.cert")]
    [InlineData(Tls, "ASPNETCORE_URLS=http://+:1",
        "environment ASPNETCORE_URLS: service.urls: none is https://, but service.tls has a certificate")]
    [InlineData("urls: ['http://+:1'], port: 2", "",
        "c.yaml:1: service.urls: must not stand beside service.address and service.port")]
    [InlineData("", "ASPNETCORE_URLS=http://+:1 PORT=x", "environment PORT: service.urls: must be a URL such as ")]
    public void What_contradicts_is_one_problem(string service, string environment, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(service, environment));
        Assert.StartsWith(problem, Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://+:0", "127.0.0.1 ::1")]
    [InlineData("http://[::]:0", "127.0.0.1 ::1")]
    [InlineData("http://0.0.0.0:0", "127.0.0.1")]
    [InlineData("http://[::1]:0", "::1")]
    [InlineData("http://127.0.0.1:0;http://[::1]:0", "127.0.0.1")]
    public async Task Who_connects_by_each_address_is_answered(string urls, string addresses)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "the machine has no IPv6");
        await using var host = await StartAsync(urls);
        foreach (var address in addresses.Split(' '))
        {
            Assert.Equal("{}", await GetAsync(address, host.Port));
        }
    }

    [Fact]
    public async Task Both_loopbacks_of_localhost_and_every_further_URL_are_listened_on()
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "the machine has no IPv6");
        using var first = new ReservedPort();
        using var second = new ReservedPort();
        await using var host = await StartAsync($"http://localhost:{first.Number};http://127.0.0.1:{second.Number}");
        Assert.Equal(first.Number, host.Port);
        foreach (var (address, port) in new[] { ("127.0.0.1", first), ("::1", first), ("127.0.0.1", second) })
        {
            Assert.Equal("{}", await GetAsync(address, port.Number));
        }
    }

    [Fact]
    public async Task Of_several_addresses_the_one_that_cannot_be_listened_on_is_named()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var endpoint = (IPEndPoint)other.LocalEndpoint;
        var error = await Assert.ThrowsAsync<IOException>(() => StartAsync($"http://127.0.0.1:0;http://{endpoint}"));
        Assert.StartsWith($"cannot listen on {endpoint}: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http_and_https_are_served_beside_each_other()
    {
        using var directory = new TemporaryDirectory();
        SomeCertificate.Make().WriteTo(directory);
        var tls = $"tls: {{ cert: '{directory.File("cert.pem")}', key: '{directory.File("key.pem")}' }}";
        using var secure = new ReservedPort();
        await using var host = await StartAsync($"http://127.0.0.1:0;https://127.0.0.1:{secure.Number}", tls);
        Assert.Equal("{}", await GetAsync("127.0.0.1", host.Port));
        Assert.Equal("{}", await GetAsync("127.0.0.1", secure.Number, "https"));
    }

    private static Task<TodoListHost> StartAsync(string urls, string service = "") => TodoListHost.StartAsync(
        Load(service, $"ASPNETCORE_URLS={urls}").Settings, Program.Application(), CancellationToken.None);

    private static async Task<string> GetAsync(string address, int port, string scheme = "http")
    {
        using var handler = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, _, _, _) => true,
            CheckCertificateRevocationList = true,
        };
        using var client = new HttpClient(handler) { Timeout = Until.Limit };
        return await client.GetStringAsync(new UriBuilder(scheme, address, port, "tasks").Uri);
    }

    private static Settings Read(string service, string environment) => Load(service, environment).Settings;

    private static string Print(string service, string environment)
    {
        using var output = new StringWriter();
        Load(service, environment).Source.Print(output);
        return output.ToString();
    }

    private static (Settings Settings, ConfigSection Source) Load(string service, string environment) => Settings.Read(
        "c.yaml",
        $"service: {{ {service} }}\ntask-db: {{ memory: }}\n{Silent}",
        environment.Replace("{0}", EnvironmentConfig.Prefix, StringComparison.Ordinal)
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]),
        new CommandLineOptions());
}
