using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http.OpenApi;

/// <summary>The page to try the API is whole, comes from the service alone, and can be left out.</summary>
public sealed partial class DocsPageTests
{
    [Fact]
    public async Task The_page_and_all_that_it_names_come_from_the_service()
    {
        await using var service = await RunningService.StartAsync();
        using var client = Browser(service);
        using var page = await client.GetAsync(At("/docs"));
        Assert.Equal((200, "text/html"), ((int)page.StatusCode, page.Content.Headers.ContentType?.MediaType));
        var policy = Assert.Single(page.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'self';", policy, StringComparison.Ordinal);
        var folder = page.RequestMessage!.RequestUri!;
        var named = Reference().Matches(await page.Content.ReadAsStringAsync())
            .Select(match => match.Groups[1].Value).ToList();
        Assert.Contains(named, file => file.Contains("swagger-ui-bundle.js", StringComparison.Ordinal));
        foreach (var file in named)
        {
            var address = new Uri(folder, file);
            Assert.Equal(folder.Authority, address.Authority);
            using var part = await client.GetAsync(address);
            Assert.Equal(200, (int)part.StatusCode);
            Assert.NotEmpty(await part.Content.ReadAsByteArrayAsync());
        }
        var script = await client.GetStringAsync(At("/docs/index.js"));
        Assert.Contains("/openapi.json", script, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/docs")]
    [InlineData("/docs/")]
    [InlineData("/docs/index.html")]
    [InlineData("/docs/swagger-ui.css")]
    public async Task A_file_of_it_is_a_resource_like_the_others(string path)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml);
        using var client = Browser(service);
        using var head = new HttpRequestMessage(HttpMethod.Head, path);
        using var answer = await client.SendAsync(head);
        Assert.Equal(200, (int)answer.StatusCode);
        Assert.NotEmpty(answer.Headers.GetValues("X-Request-ID"));
        using var post = await client.PostAsync(At(path), content: null);
        Assert.Equal((405, "GET,HEAD,OPTIONS"), ((int)post.StatusCode, string.Join(',', post.Content.Headers.Allow)));
        var line = await Until.ResultAsync(
            () => files.Read("audit").FirstOrDefault(line => line.Contains("status=405", StringComparison.Ordinal)),
            "the line of the request");
        Assert.Equal(path, LogfmtLine.Parse(line)["uri"]);
    }

    [Theory]
    [InlineData("/docs")]
    [InlineData("/docs/index.html")]
    public async Task It_can_be_switched_off(string path)
    {
        await using var service = await RunningService.StartAsync(http: "docs: false");
        using var answer = await service.SendAsync("GET", path);
        Assert.Equal(404, (int)answer.StatusCode);
        using var description = await service.SendAsync("GET", "/openapi.json");
        Assert.Equal(200, (int)description.StatusCode);
    }

    [Fact]
    public async Task The_description_is_of_the_api_and_not_of_pages()
    {
        var contract = await ApiContract.GetAsync();
        Assert.DoesNotContain(
            contract.Document["paths"]!.AsObject(), path => path.Key.StartsWith("/docs", StringComparison.Ordinal));
    }

    private static Uri At(string path) => new(path, UriKind.Relative);

    // Pages are not in the contract.
    private static HttpClient Browser(RunningService service) => new() { BaseAddress = service.Client.BaseAddress };

    [GeneratedRegex("(?:src|href)=\"([^\"]+)\"")]
    private static partial Regex Reference();
}
