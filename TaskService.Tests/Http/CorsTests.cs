using TaskService.Configuration;
using TaskService.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>Pages of the origins that <c>http.cors</c> names can use the API from a browser, and no others.</summary>
public sealed class CorsTests
{
    private const string Shop = "https://shop.example";
    private const string ShopOnly = $"cors: {{ origins: [{Shop}] }}";
    private const string AllowOrigin = "Access-Control-Allow-Origin";

    [Theory]
    [InlineData("/tasks", "POST")]
    [InlineData("/tasks/some", "DELETE")]
    [InlineData("/health/live", "GET")]
    [InlineData("/nope", "PUT")]
    public async Task A_preflight_of_any_path_is_answered(string path, string method)
    {
        await using var service = await RunningService.StartAsync(http: ShopOnly);
        using var response = await PreflightAsync(service, path, method, Shop);
        Assert.Equal(204, (int)response.StatusCode);
        Assert.Equal(Shop, HeaderOf(response, AllowOrigin));
        Assert.Equal("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS", HeaderOf(response, "Access-Control-Allow-Methods"));
        Assert.Equal("content-type,if-match", HeaderOf(response, "Access-Control-Allow-Headers"));
        Assert.Equal("86400", HeaderOf(response, "Access-Control-Max-Age"));
        Assert.Equal("Origin", HeaderOf(response, "Vary"));
        Assert.Null(HeaderOf(response, "Access-Control-Allow-Credentials"));
        Assert.NotNull(HeaderOf(response, "X-Request-ID"));
    }

    [Theory]
    [InlineData("GET", "/tasks", 200, "Accept-Encoding, Origin")]
    [InlineData("HEAD", "/tasks", 200, "Accept-Encoding, Origin")]
    [InlineData("OPTIONS", "/tasks", 204, "Origin")]
    [InlineData("POST", "/tasks", 400, "Origin")]
    [InlineData("GET", "/tasks/none", 404, "Accept-Encoding, Origin")]
    [InlineData("GET", "/nope", 404, "Accept-Encoding, Origin")]
    [InlineData("DELETE", "/tasks", 405, "Origin")]
    [InlineData("GET", "/health/ready", 200, "Origin")]
    public async Task Every_response_can_be_read_errors_as_well(string method, string path, int status, string vary)
    {
        await using var service = await RunningService.StartAsync(http: ShopOnly);
        using var response = await service.SendAsync(method, path, null, ("Origin", Shop));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(Shop, HeaderOf(response, AllowOrigin));
        Assert.Equal(
            "Location,ETag,Link,Allow,Accept-Patch,Retry-After,WWW-Authenticate,X-Request-ID,X-Read-After",
            HeaderOf(response, "Access-Control-Expose-Headers"));
        Assert.Equal(vary, HeaderOf(response, "Vary"));
        // A cache must not give this one to a page.
        using var without = await service.SendAsync(method, path);
        Assert.Equal((status, vary), ((int)without.StatusCode, HeaderOf(without, "Vary")));
        Assert.Null(HeaderOf(without, AllowOrigin));
    }

    [Fact]
    public async Task A_refusal_of_too_many_requests_can_be_read()
    {
        await using var service = await RunningService.StartAsync(
            service: HeldRequest.Service, http: $"{HeldRequest.Http}, requests-max: 1, {ShopOnly}");
        using var held = await HeldRequest.BeginAsync(service.Port);
        using var response = await service.SendAsync("GET", "/tasks", null, ("Origin", Shop));
        Assert.Equal((503, Shop), ((int)response.StatusCode, HeaderOf(response, AllowOrigin)));
        using var preflight = await PreflightAsync(service, "/tasks", "POST", Shop);
        Assert.Equal(204, (int)preflight.StatusCode);
    }

    [Fact]
    public async Task An_exception_can_be_read()
    {
        var settings = new CorsSettings([Shop], Credentials: false, TimeSpan.FromDays(1));
        await using var app = await ObservedApp.StartAsync(addServices: services => services.AddCorsPolicy(settings));
        using var response = await app.SendAsync("/throws", ("Origin", Shop));
        Assert.Equal((500, Shop), ((int)response.StatusCode, HeaderOf(response, AllowOrigin)));
    }

    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("https://shop.example.evil.example")]
    [InlineData("http://shop.example")]
    [InlineData("https://shop.example:444")]
    [InlineData("null")]
    [InlineData("")]
    public async Task A_stranger_gets_the_usual_response(string origin)
    {
        await using var service = await RunningService.StartAsync(http: ShopOnly);
        using var read = await service.SendAsync("GET", "/tasks", null, ("Origin", origin));
        Assert.Equal((200, "Accept-Encoding, Origin"), ((int)read.StatusCode, HeaderOf(read, "Vary")));
        Assert.DoesNotContain(read.Headers, header => header.Key.StartsWith("Access-", StringComparison.Ordinal));
        using var preflight = await PreflightAsync(service, "/tasks", "POST", origin);
        Assert.Equal(204, (int)preflight.StatusCode);
        Assert.Equal(["GET", "HEAD", "POST", "OPTIONS"], preflight.Content.Headers.Allow);
        Assert.DoesNotContain(preflight.Headers, header => header.Key.StartsWith("Access-", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("['*']", Shop, "*")]
    [InlineData("['*']", "null", "*")]
    [InlineData("[HTTPS://Shop.Example:443, https://a.example]", Shop, Shop)]
    [InlineData("[https://a.example, 'http://localhost:3000']", "http://localhost:3000", "http://localhost:3000")]
    [InlineData("['http://[::1]:3000']", "http://[::1]:3000", "http://[::1]:3000")]
    [InlineData("['https://bücher.example']", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example")]
    [InlineData("['capacitor://localhost']", "capacitor://localhost", "capacitor://localhost")]
    public async Task An_origin_is_compared_as_browsers_send_it(string origins, string sent, string allowed)
    {
        await using var service = await RunningService.StartAsync(http: $"cors: {{ origins: {origins} }}");
        using var response = await service.SendAsync("GET", "/tasks", null, ("Origin", sent));
        Assert.Equal(allowed, HeaderOf(response, AllowOrigin));
        Assert.Equal(
            allowed == "*" ? "Accept-Encoding" : "Accept-Encoding, Origin", HeaderOf(response, "Vary"));
    }

    [Fact]
    public async Task Credentials_and_the_time_of_a_preflight_are_settings()
    {
        await using var service = await RunningService.StartAsync(
            http: $"cors: {{ origins: [{Shop}], credentials: true, max-age-seconds: 60 }}");
        using var response = await service.SendAsync("GET", "/tasks", null, ("Origin", Shop));
        Assert.Equal(
            (Shop, "true"), (HeaderOf(response, AllowOrigin), HeaderOf(response, "Access-Control-Allow-Credentials")));
        using var preflight = await PreflightAsync(service, "/tasks", "POST", Shop);
        Assert.Equal("60", HeaderOf(preflight, "Access-Control-Max-Age"));
        Assert.Equal("true", HeaderOf(preflight, "Access-Control-Allow-Credentials"));
    }

    [Fact]
    public async Task Without_an_origin_there_is_none_of_it()
    {
        await using var service = await RunningService.StartAsync(http: "cors: { origins: [] }");
        using var response = await service.SendAsync("GET", "/tasks", null, ("Origin", Shop));
        Assert.Equal((null, "Accept-Encoding"), (HeaderOf(response, AllowOrigin), HeaderOf(response, "Vary")));
        using var preflight = await PreflightAsync(service, "/tasks", "POST", Shop);
        Assert.Equal(["GET", "HEAD", "POST", "OPTIONS"], preflight.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("/ops/versions.json")]
    [InlineData("/docs")]
    public async Task Endpoints_that_are_not_of_the_API_are_for_their_own_origin(string path)
    {
        await using var service = await RunningService.StartAsync(http: "cors: { origins: ['*'] }", logging: """
            operations: { secret: 0123456789abcdef }
            logging: { handlers: { console: { type: console, level: none } } }
            """);
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        foreach (var method in new[] { "GET", "PUT", "OPTIONS" })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
            request.Headers.Add("Origin", Shop);
            request.Headers.Add("Access-Control-Request-Method", "GET");
            request.Headers.Add("X-API-Key", "0123456789abcdef");
            using var response = await client.SendAsync(request);
            Assert.True((int)response.StatusCode is 200 or 204 or 405 or 501, $"{response.StatusCode}");
            Assert.DoesNotContain(response.Headers, one => one.Key.StartsWith("Access-", StringComparison.Ordinal));
        }
    }

    private static Task<HttpResponseMessage> PreflightAsync(
        RunningService service, string path, string method, string origin) => service.SendAsync(
        "OPTIONS", path, null,
        ("Origin", origin), ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "content-type,if-match"));

    private static string? HeaderOf(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;
}
