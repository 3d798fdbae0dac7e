using System.Text;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Tasks;

/// <summary><c>Idempotency-Key</c>: a client that did not get its answer asks again, and gets the same one.</summary>
public sealed class IdempotencyTests
{
    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task The_same_request_again_gets_the_first_answer_and_makes_nothing(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        using var first = await PostAsync(service, "k1", Some.TaskJson);
        using var again = await PostAsync(service, "\"k1\"", Some.TaskJson);
        Assert.Equal((201, 201), ((int)first.StatusCode, (int)again.StatusCode));
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        Assert.Equal(first.Headers.ETag, again.Headers.ETag);
        Assert.Equal(1, await CountAsync(service));
        using var other = await PostAsync(service, "k2", Some.TaskJson);
        Assert.NotEqual(first.Headers.Location, other.Headers.Location);
        using var delete = await service.SendAsync("DELETE", first.Headers.Location!.OriginalString);
        using var afterwards = await PostAsync(service, "k1", Some.TaskJson);
        Assert.Equal(first.Headers.Location, afterwards.Headers.Location);
        Assert.Equal(1, await CountAsync(service));
    }

    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task The_same_key_with_another_body_is_422(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        using var first = await PostAsync(service, "k", Some.TaskJson);
        using var other = await PostAsync(service, "k", Some.TaskJson + " ");
        await ErrorBody.AssertAsync(other, 422, "Idempotency-Key reused", "POST", "/tasks");
        Assert.Equal(1, await CountAsync(service));
    }

    [Theory]
    [MemberData(nameof(RunningService.Engines), MemberType = typeof(RunningService))]
    public async Task Of_20_equal_requests_at_once_there_is_one_task(string engine)
    {
        await using var service = await RunningService.StartOnAsync(engine);
        for (var round = 1; round <= TestRoot.Scale(5, 100); round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
            {
                using var response = await PostAsync(service, $"k{round}", Some.TaskJson);
                return ((int)response.StatusCode, response.Headers.Location?.OriginalString);
            }));
            Assert.All(answers, answer => Assert.Contains(answer.Item1, new[] { 201, 409 }));
            Assert.Single(answers.Where(answer => answer.Item1 == 201).Select(answer => answer.Item2).Distinct());
            Assert.Equal(round, await CountAsync(service));
        }
    }

    [Fact]
    public async Task Only_a_task_that_was_made_is_remembered()
    {
        await using var service = await RunningService.StartAsync();
        using var invalid = await PostAsync(service, "k", "{}");
        Assert.Equal(400, (int)invalid.StatusCode);
        using var valid = await PostAsync(service, "k", Some.TaskJson);
        Assert.Equal(201, (int)valid.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("a b")]
    [InlineData("a\tb")]
    [InlineData("\"")]
    [InlineData("\"a")]
    [InlineData("a\"")]
    [InlineData("\"a\";p=1")]
    [InlineData("\"a\"b\"")]
    [InlineData("\"a\",\"a\"")]
    public async Task A_key_that_is_none_is_400_but_an_invalid_body_comes_first(string key)
    {
        await using var service = await RunningService.StartAsync();
        using var response = await PostAsync(service, key, Some.TaskJson);
        await ErrorBody.AssertAsync(response, 400, "Invalid Idempotency-Key", "POST", "/tasks");
        using var invalid = await PostAsync(service, key, "{}");
        await ErrorBody.AssertAsync(invalid, 400, "JSON Schema validation failed", "POST", "/tasks");
    }

    [Theory]
    [InlineData("k", "k")]
    [InlineData("\"k\"", "\"k\"")]
    [InlineData("k", "")]
    public async Task Two_lines_with_a_key_are_400(string first, string second)
    {
        await using var service = await RunningService.StartAsync();
        var answer = await RawClient.SendAsync(service.Port, Encoding.ASCII.GetBytes(
            $"POST /tasks HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {first}\r\nIdempotency-Key: {second}\r\n"
            + $"Content-Length: {Some.TaskJson.Length}\r\n\r\n{Some.TaskJson}"));
        Assert.Equal(400, answer.Status);
        Assert.Contains("\"message\":\"Invalid Idempotency-Key\"", answer.Body, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(service));
    }

    [Fact]
    public async Task A_key_has_255_characters_at_most_and_may_have_any_that_are_visible()
    {
        await using var service = await RunningService.StartAsync();
        using var longest = await PostAsync(service, new string('k', 255), Some.TaskJson);
        Assert.Equal(201, (int)longest.StatusCode);
        using var tooLong = await PostAsync(service, new string('k', 256), Some.TaskJson);
        Assert.Equal(400, (int)tooLong.StatusCode);
        var visible = string.Concat(Enumerable.Range('!', '~' - '!' + 1).Select(c => (char)c));
        using var any = await PostAsync(service, visible, Some.TaskJson);
        Assert.Equal(201, (int)any.StatusCode);
    }

    [Fact]
    public async Task A_task_and_the_key_that_made_it_outlive_the_process()
    {
        using var directory = new TemporaryDirectory();
        string location;
        await using (var service = await RunningService.StartAsync($"fs: '{directory.Path}'"))
        {
            using var first = await PostAsync(service, "k", Some.TaskJson);
            location = first.Headers.Location!.OriginalString;
        }
        await using var again = await RunningService.StartAsync($"fs: '{directory.Path}'");
        using var retry = await PostAsync(again, "k", Some.TaskJson);
        Assert.Equal(location, retry.Headers.Location?.OriginalString);
        using var other = await PostAsync(again, "k", """{"title":"other"}""");
        Assert.Equal(422, (int)other.StatusCode);
        Assert.Equal(1, await CountAsync(again));
    }

    private static Task<HttpResponseMessage> PostAsync(RunningService service, string key, string body) =>
        service.SendAsync("POST", "/tasks", RunningService.Json(body), ("Idempotency-Key", key));

    private static async Task<int> CountAsync(RunningService service)
    {
        using var list = JsonDocument.Parse(await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
        return list.RootElement.EnumerateObject().Count();
    }
}
