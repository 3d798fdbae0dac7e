using System.Net;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary>ETags and the conditions on them (RFC 9110 sections 8.8.3 and 13), on each engine.</summary>
public sealed class ConditionTests
{
    private const string Other = "\"00000000000000000000000000000000\"";

    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task A_tag_is_of_the_content_the_same_for_POST_and_GET_and_on_every_engine(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        using var post = await service.SendAsync("POST", "/tasks", RunningService.Json(Some.TaskJson));
        using var get = await service.SendAsync("GET", post.Headers.Location!.OriginalString);
        Assert.Equal("\"92ac49ac19e3dedbbdd215f2bd06d6b6\"", post.Headers.ETag?.ToString());
        Assert.Equal(post.Headers.ETag, get.Headers.ETag);
        var other = RunningService.Json("""{"title":"t"}""");
        using var put = await service.SendAsync("PUT", post.Headers.Location.OriginalString, other);
        Assert.Null(put.Headers.ETag);
        using var changed = await service.SendAsync("GET", post.Headers.Location.OriginalString);
        Assert.NotEqual(post.Headers.ETag, changed.Headers.ETag);
    }

    [Theory]
    [InlineData("{0}", 304)]
    [InlineData("W/{0}", 304)]
    [InlineData("*", 304)]
    [InlineData("\"x\", {0}", 304)]
    [InlineData("{1}-gzip\"", 304)]
    [InlineData("{1}-br\"", 304)]
    [InlineData(Other, 200)]
    [InlineData("\"x\"", 200)]
    [InlineData("nonsense", 200)]
    [InlineData("{1}-zip\"", 200)]
    public async Task A_reader_that_has_it_is_told_so(string condition, int status)
    {
        await using var service = await RunningService.StartAsync();
        var path = await service.CreateAsync(Some.TaskJson);
        foreach (var target in new[] { path, "/tasks" })
        {
            using var first = await service.SendAsync("GET", target);
            var given = Fill(condition, first.Headers.ETag!.Tag);
            foreach (var method in new[] { "GET", "HEAD" })
            {
                using var response = await service.SendAsync(method, target, null, ("If-None-Match", given));
                Assert.Equal(status, (int)response.StatusCode);
                Assert.Equal(first.Headers.ETag, response.Headers.ETag);
                Assert.Equal("no-cache", response.Headers.CacheControl?.ToString());
                Assert.Equal("Accept-Encoding", string.Join(',', response.Headers.Vary));
                Assert.Equal(status == 304, response.Content.Headers.ContentType is null);
            }
        }
    }

    [Theory]
    [InlineData("If-Match", "{0}", true)]
    [InlineData("If-Match", "\"x\", {0}", true)]
    [InlineData("If-Match", "*", true)]
    [InlineData("If-Match", "{1}-gzip\"", true)]
    [InlineData("If-Match", "{1}-br\"", true)]
    [InlineData("If-Match", "W/{0}", false)]
    [InlineData("If-Match", Other, false)]
    [InlineData("If-Match", "nonsense", false)]
    [InlineData("If-None-Match", "{0}", false)]
    [InlineData("If-None-Match", "W/{0}", false)]
    [InlineData("If-None-Match", "*", false)]
    [InlineData("If-None-Match", Other, true)]
    public async Task A_change_is_made_only_of_the_version_that_is_meant(string header, string condition, bool allowed)
    {
        foreach (var engine in RunningService.Engines.Select(row => row.Data))
        {
            await using var service = await RunningService.StartOnAsync(engine);
            foreach (var method in new[] { "PUT", "PATCH", "DELETE" })
            {
                var path = await service.CreateAsync(Some.TaskJson);
                using var first = await service.SendAsync("GET", path);
                var body = method == "DELETE" ? null : RunningService.Json("""{"title":"changed"}""");
                var given = Fill(condition, first.Headers.ETag!.Tag);
                using var response = await service.SendAsync(method, path, body, (header, given));
                Assert.Equal(allowed ? 204 : 412, (int)response.StatusCode);
                using var after = await service.SendAsync("GET", path);
                Assert.Equal(allowed, !first.Headers.ETag!.Equals(after.Headers.ETag));
                if (!allowed)
                {
                    await ErrorBody.AssertAsync(response, 412, "Precondition Failed", method, path);
                }
            }
        }
    }

    [Theory]
    [InlineData("If-Match: *\r\nIf-Match: nonsense", 412)]
    [InlineData("If-Match: {0}\r\nIf-Match: nonsense", 412)]
    [InlineData("If-Match: \"x\"\r\nIf-Match: {0}", 204)]
    [InlineData("If-Match: *, {0}", 412)]
    [InlineData("If-Match:", 412)]
    [InlineData("If-None-Match: nonsense", 412)]
    [InlineData("If-None-Match: \"x\"\r\nIf-None-Match: nonsense", 412)]
    [InlineData("If-None-Match: \"x\", *", 412)]
    [InlineData("If-None-Match: \"x\", , \"y\"", 204)]
    [InlineData("If-None-Match:", 204)]
    public async Task A_change_under_a_condition_that_is_none_is_not_made(string lines, int status)
    {
        await using var service = await RunningService.StartAsync();
        var path = await service.CreateAsync(Some.TaskJson);
        using var found = await service.SendAsync("GET", path);
        var request = $"DELETE {path} HTTP/1.1\r\nHost: a\r\n{Fill(lines, found.Headers.ETag!.Tag)}\r\n\r\n";
        var answer = await RawClient.SendAsync(service.Port, Encoding.Latin1.GetBytes(request));
        Assert.Equal(status, answer.Status);
        using var after = await service.SendAsync("GET", path);
        Assert.Equal(status == 412 ? 200 : 404, (int)after.StatusCode);
    }

    [Theory]
    [InlineData("GET", "If-Match", "*", 404)]
    [InlineData("PUT", "If-Match", "*", 404)]
    [InlineData("PATCH", "If-Match", Other, 404)]
    [InlineData("DELETE", "If-None-Match", "*", 404)]
    public async Task An_absent_task_is_404_whatever_the_condition(
        string method, string header, string condition, int status)
    {
        await using var service = await RunningService.StartAsync();
        var body = method is "PUT" or "PATCH" ? RunningService.Json(Some.TaskJson) : null;
        using var response = await service.SendAsync(method, "/tasks/none", body, (header, condition));
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_condition_is_evaluated_after_the_body()
    {
        await using var service = await RunningService.StartAsync();
        var path = await service.CreateAsync(Some.TaskJson);
        using var invalid = await service.SendAsync("PUT", path, RunningService.Json("{}"), ("If-Match", Other));
        Assert.Equal(HttpStatusCode.BadRequest, invalid.StatusCode);
        using var text = new StringContent("{}", System.Text.Encoding.UTF8, "text/plain");
        using var foreign = await service.SendAsync("PUT", path, text, ("If-Match", Other));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, foreign.StatusCode);
    }

    [Fact]
    public async Task A_read_of_another_version_than_is_meant_is_412()
    {
        await using var service = await RunningService.StartAsync();
        var path = await service.CreateAsync(Some.TaskJson);
        using var response = await service.SendAsync("GET", path, null, ("If-Match", Other));
        await ErrorBody.AssertAsync(response, 412, "Precondition Failed", "GET", path);
    }

    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task Of_many_that_change_the_same_version_at_once_one_wins(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        var path = await service.CreateAsync(Some.TaskJson);
        for (var round = 0; round < TestRoot.Scale(5, 100); round++)
        {
            using var read = await service.SendAsync("GET", path);
            var tag = read.Headers.ETag!.ToString();
            var statuses = await Task.WhenAll(Enumerable.Range(0, 16).Select(async writer =>
            {
                var body = RunningService.Json($$"""{"title":"{{round}}-{{writer}}"}""");
                var method = writer % 2 == 0 ? "PUT" : "PATCH";
                using var put = await service.SendAsync(method, path, body, ("If-Match", tag));
                return (int)put.StatusCode;
            }));
            Assert.Single(statuses, 204);
            Assert.Equal(15, statuses.Count(status => status == 412));
        }
    }

    private static string Fill(string condition, string tag) =>
        condition.Replace("{0}", tag, StringComparison.Ordinal).Replace("{1}", tag[..^1], StringComparison.Ordinal);
}
