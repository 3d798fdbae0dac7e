using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>The files of the page of the operators: whole, open to everyone, and of this service alone.</summary>
public sealed partial class OperationsPageTests
{
    private const string Secret = "secret: 0123456789abcdef";

    [Theory]
    [InlineData("/ops", "/ops")]
    [InlineData("/ops", "/ops/")]
    [InlineData("/a/b-c", "/a/b-c")]
    [InlineData("/a/b-c", "/a/b-c/")]
    public async Task The_page_and_its_parts_need_no_secret_and_come_from_the_service(string basePath, string path)
    {
        await using var service = await StartAsync($"{Secret}, base-path: {basePath}");
        using var client = Browser(service);
        using var page = await client.GetAsync(At(path));
        Assert.Equal((200, "text/html"), ((int)page.StatusCode, page.Content.Headers.ContentType?.MediaType));
        var address = new Uri(client.BaseAddress!, path);
        var parts = Reference().Matches(await page.Content.ReadAsStringAsync())
            .Select(match => new Uri(address, match.Groups[1].Value)).Where(part => part.Scheme != "data").ToList();
        Assert.Equal(2, parts.Count);
        for (var i = 0; i < parts.Count; i++)
        {
            Assert.Equal(address.Authority, parts[i].Authority);
            using var response = await client.GetAsync(parts[i]);
            Assert.Equal(200, (int)response.StatusCode);
            AssertIsSafe(response);
            var text = await response.Content.ReadAsStringAsync();
            Assert.Equal(
                parts[i].AbsolutePath.EndsWith(".css", StringComparison.Ordinal) ? "text/css" : "text/javascript",
                response.Content.Headers.ContentType?.MediaType);
            var imported = Import().Matches(text).Select(match => new Uri(parts[i], match.Groups[1].Value));
            parts.AddRange(imported.Where(part => !parts.Contains(part)).ToList());
            Assert.DoesNotMatch(@"(inner|outer|Adjacent)HTML|document\.write|eval\(|https?://(?!www\.w3\.org/)", text);
        }
        // All that is in the folder is used.
        var files = Directory.GetFiles(TestRoot.File("TaskService", "Operations", "Page"));
        Assert.Equal(
            files.Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal),
            parts.Select(part => part.Segments[^1]).Append("page.html").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_page_has_a_strict_policy_and_is_kept_until_it_changes()
    {
        await using var service = await StartAsync(Secret);
        using var client = Browser(service);
        using var page = await client.GetAsync(At("/ops/"));
        AssertIsSafe(page);
        Assert.Equal("no-cache", page.Headers.CacheControl?.ToString());
        using var again = new HttpRequestMessage(HttpMethod.Get, "/ops/");
        again.Headers.IfNoneMatch.Add(page.Headers.ETag!);
        using var unchanged = await client.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/ops"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        using var post = await client.PostAsync(At("/ops/"), content: null);
        Assert.Equal((405, "GET,HEAD,OPTIONS"), ((int)post.StatusCode, string.Join(',', post.Content.Headers.Allow)));
    }

    [Theory]
    [InlineData("secret: off")]
    [InlineData("base-path: /ops")]
    public async Task Without_a_secret_there_is_no_page(string operations)
    {
        await using var service = await StartAsync(operations);
        using var client = Browser(service);
        foreach (var path in new[] { "/ops", "/ops/", "/ops/page.js" })
        {
            using var response = await client.GetAsync(At(path));
            await ErrorBody.AssertAsync(response, 404, "Unknown Endpoint", "GET", path);
        }
        Assert.False((await LinksAsync(client)).TryGetProperty("operations", out _));
    }

    [Fact]
    public async Task The_root_says_where_the_page_is_and_stays_the_root_without_a_base_path()
    {
        await using var service = await StartAsync(Secret);
        using var client = Browser(service);
        Assert.Equal("/ops", (await LinksAsync(client)).GetProperty("operations").GetString());

        await using var bare = await StartAsync($"{Secret}, base-path: ''");
        using var other = Browser(bare);
        Assert.False((await LinksAsync(other)).TryGetProperty("operations", out _));
        using var part = await other.GetAsync(At("/page.js"));
        Assert.Equal(HttpStatusCode.NotFound, part.StatusCode);
    }

    [Fact]
    public async Task On_a_port_of_its_own_it_is_on_no_other_and_in_no_links()
    {
        using var port = new ReservedPort();
        await using var service = await StartAsync($"{Secret}, port: {port.Number}");
        using var client = Browser(service);
        using var hidden = await client.GetAsync(At("/ops/"));
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
        Assert.False((await LinksAsync(client)).TryGetProperty("operations", out _));
        using var shown = await client.GetAsync(new Uri($"http://127.0.0.1:{port.Number}/ops/"));
        Assert.Equal(HttpStatusCode.OK, shown.StatusCode);
    }

    private static void AssertIsSafe(HttpResponseMessage response)
    {
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith(
            "default-src 'none'; script-src 'self'; style-src 'self'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.EndsWith("frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("no-referrer", Assert.Single(response.Headers.GetValues("Referrer-Policy")));
    }

    private static async Task<JsonElement> LinksAsync(HttpClient client) =>
        JsonElement.Parse(await client.GetStringAsync(At("/"))).GetProperty("links");

    private static Task<RunningService> StartAsync(string operations) =>
        RunningService.StartAsync(operations: operations);

    private static Uri At(string path) => new(path, UriKind.Relative);

    // Pages are not in the contract.
    private static HttpClient Browser(RunningService service) => new() { BaseAddress = service.Client.BaseAddress };

    [GeneratedRegex("(?:src|href)=\"([^\"]+)\"")]
    private static partial Regex Reference();

    [GeneratedRegex("from \"([^\"]+)\"")]
    private static partial Regex Import();
}
