using System.Text;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

public sealed class ErrorTests : IAsyncLifetime
{
    private RunningService service = null!;

    public static TheoryData<string> NotJson =>
    [
        "", " ", "it is not json", "{", "\ufeff{\"title\":\"t\"}",
        "{\"title\":\"t\"} x", "{\"title\":\"t\"}{}", "{'title':'t'}",
        "{title:\"t\"}", "{\"title\":\"t\",}", "/* c */{\"title\":\"t\"}", "NaN", "{\"title\":\"t\",\"due_date\":NaN}",
        "{\"title\":\"t\",\"due_date\":01}", "{\"title\":\"t\",\"due_date\":+1}", "{\"title\":\"a\nb\"}",
        "{\"title\":\"t\",\"title\":\"t\"}", "{\"title\":\"t\",\"\\u0074itle\":\"t\"}", "{\"x\":{\"a\":1,\"a\":2}}",
        "{\"title\":\"\\ud800\"}", "{\"title\":\"t\\u0000\"}",
        "{\"\\ud800\":1}", "{\"title\":\"t\",\"x\":[\"\\udc00\"]}",
        "{\"\\u0000\":1}", new string('[', 65) + new string(']', 65), new string('[', 100_000), "{\"title\":tru}",
    ];

    public static TheoryData<string, string[]> AgainstTheSchema => new()
    {
        { "{}", ["/title: is required"] },
        { "[]", [": must be an object"] },
        { "null", [": must be an object"] },
        { "\"x\"", [": must be an object"] },
        { "1", [": must be an object"] },
        { new string('[', 64) + new string(']', 64), [": must be an object"] },
        { "{\"title\":\"t\",\"x\":1}", ["/x: is not a known member"] },
        { "{\"title\":\"t\",\"Title\":\"t\"}", ["/Title: is not a known member"] },
        { "{\"title\":\"t\",\"a/b~c\":{\"d\":[]}}", ["/a~1b~0c: is not a known member"] },
        { "{\"title\":\"\"}", ["/title: must not be empty"] },
        { "{\"title\":null}", ["/title: must be a string"] },
        { "{\"title\":1,\"description\":null,\"priority\":\"High\",\"completed\":\"x\",\"due_date\":\"x\"}",
            ["/title: must be a string", "/description: must be a string",
             "/priority: must be one of urgent, high, normal, low, none", "/completed: must be true or false",
             "/due_date: must be a number"] },
        { "{\"title\":\"t\",\"completed\":null}", ["/completed: must be true or false"] },
        { "{\"title\":\"t\",\"priority\":null}", ["/priority: must be a string"] },
        { "{\"title\":\"t\",\"due_date\":253402300800}",
            ["/due_date: must be at least -62135596800 and below 253402300800"] },
        { "{\"title\":\"t\",\"due_date\":1e999}", ["/due_date: must be at least -62135596800 and below 253402300800"] },
        { "{\"title\":\"" + new string('x', 1_001) + "\"}", ["/title: must have at most 1000 characters"] },
        { "{\"title\":\"t\",\"description\":\"" + new string('x', 10_001) + "\"}",
            ["/description: must have at most 10000 characters"] },
    };

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync();

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Theory]
    [MemberData(nameof(NotJson), DisableDiscoveryEnumeration = true)]
    public async Task What_is_not_strict_JSON_is_refused_before_anyone_looks_for_the_task(string body)
    {
        using var post = await service.SendAsync("POST", "/tasks", RunningService.Json(body));
        await ErrorBody.AssertAsync(post, 400, "Invalid JSON body", "POST", "/tasks");
        using var put = await service.SendAsync("PUT", "/tasks/1234", RunningService.Json(body));
        var problem = await ErrorBody.AssertAsync(put, 400, "Invalid JSON body", "PUT", "/tasks/1234");
        Assert.NotEqual("", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task What_is_not_UTF8_is_refused()
    {
        byte[][] bodies =
        [
            [.. "{\"title\":\""u8, 0xff, .. "\"}"u8], [.. "{\"title\":\"t\",\"x\":\""u8, 0xc3, .. "\"}"u8],
            [0xff, 0xfe], [.. Encoding.Unicode.GetBytes(Some.TaskJson)],
        ];
        foreach (var body in bodies)
        {
            using var post = await service.SendAsync("POST", "/tasks", RunningService.Bytes(body));
            await ErrorBody.AssertAsync(post, 400, "Invalid JSON body", "POST", "/tasks");
        }
    }

    [Theory]
    [MemberData(nameof(AgainstTheSchema), DisableDiscoveryEnumeration = true)]
    public async Task What_is_against_the_schema_is_refused_with_every_violation(string body, string[] violations)
    {
        using var post = await service.SendAsync("POST", "/tasks", RunningService.Json(body));
        var problem = await ErrorBody.AssertAsync(post, 400, "JSON Schema validation failed", "POST", "/tasks");
        Assert.Equal(violations, problem.GetProperty("errors").EnumerateArray().Select(
            error => $"{error.GetProperty("pointer").GetString()}: {error.GetProperty("message").GetString()}"));
        using var put = await service.SendAsync("PUT", "/tasks/1234", RunningService.Json(body));
        await ErrorBody.AssertAsync(put, 400, "JSON Schema validation failed", "PUT", "/tasks/1234");
    }

    [Fact]
    public async Task A_hundred_violations_are_reported_at_most()
    {
        var members = string.Join(',', Enumerable.Range(0, 500).Select(i => $"\"x{i}\":1"));
        using var post = await service.SendAsync("POST", "/tasks", RunningService.Json($"{{{members}}}"));
        var problem = await ErrorBody.AssertAsync(post, 400, "JSON Schema validation failed", "POST", "/tasks");
        Assert.Equal(100, problem.GetProperty("errors").GetArrayLength());
    }

    [Theory]
    [InlineData("GET", "/does-not-exist")]
    [InlineData("POST", "/does-not-exist")]
    [InlineData("BREW", "/does-not-exist")]
    [InlineData("OPTIONS", "/does-not-exist")]
    [InlineData("GET", "/tasks/a_b")]
    [InlineData("GET", "/tasks/a//")]
    [InlineData("GET", "//tasks")]
    [InlineData("GET", "/tasks/a/b")]
    [InlineData("GET", "/Tasks")]
    [InlineData("GET", "/tasks/%41")]
    [InlineData("GET", "/%74asks")]
    [InlineData("GET", "/tasks/./a")]
    [InlineData("GET", "/x/../tasks")]
    [InlineData("GET", "/tasks/..%2f..%2fetc%2fpasswd")]
    public async Task An_unknown_path_is_404_whatever_the_method(string method, string path)
    {
        var raw = await service.SendRawAsync($"{method} {path}?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 404 Not Found\r\n", raw, StringComparison.Ordinal);
        var body = JsonDocument.Parse(raw[raw.IndexOf("\r\n\r\n", StringComparison.Ordinal)..]).RootElement;
        Assert.Equal("Unknown Endpoint", body.GetProperty("message").GetString());
        Assert.Equal(path, body.GetProperty("uri").GetString());
        Assert.Equal(method, body.GetProperty("method").GetString());
    }

    [Fact]
    public async Task An_id_of_65_characters_is_no_path_and_one_of_64_is_no_task()
    {
        using var tooLong = await service.SendAsync("GET", $"/tasks/{new string('a', 65)}");
        await ErrorBody.AssertAsync(tooLong, 404, "Unknown Endpoint", "GET", $"/tasks/{new string('a', 65)}");
        var id = new string('a', 64);
        using var missing = await service.SendAsync("GET", $"/tasks/{id}");
        await ErrorBody.AssertAsync(missing, 404, $"Task '{id}' does not exist", "GET", $"/tasks/{id}");
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task A_missing_task_is_404_for_every_method(string method)
    {
        using var response = await service.SendAsync(
            method, "/tasks/1234?x=1", method == "PUT" ? RunningService.Json(Some.TaskJson) : null);
        await ErrorBody.AssertAsync(response, 404, "Task '1234' does not exist", method, "/tasks/1234");
    }

    [Theory]
    [InlineData("PUT", "/tasks", "GET, HEAD, POST, OPTIONS")]
    [InlineData("DELETE", "/tasks/", "GET, HEAD, POST, OPTIONS")]
    [InlineData("BREW", "/tasks", "GET, HEAD, POST, OPTIONS")]
    [InlineData("POST", "/tasks/1234", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")]
    [InlineData("get", "/tasks/1234", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")]
    [InlineData("POST", "/health/live", "GET, HEAD, OPTIONS")]
    public async Task Another_method_is_405_and_says_which_are_allowed(string method, string path, string allowed)
    {
        var raw = await service.SendRawAsync($"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 405 Method Not Allowed\r\n", raw, StringComparison.Ordinal);
        Assert.Contains($"\r\nAllow: {allowed}\r\n", raw, StringComparison.Ordinal);
        Assert.Contains("\"message\":\"Method Not Allowed\"", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OPTIONS_says_which_methods_are_allowed()
    {
        using var response = await service.SendAsync("OPTIONS", "/tasks/1234");
        Assert.Equal(204, (int)response.StatusCode);
        Assert.Equal("GET, HEAD, PUT, PATCH, DELETE, OPTIONS", string.Join(", ", response.Content.Headers.Allow));
    }

    [Fact]
    public async Task OPTIONS_of_the_server_says_which_methods_there_are()
    {
        var answer = await RawClient.SendAsync(service.Port, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
        Assert.Equal(204, answer.Status);
        Assert.Equal("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", answer.Header("Allow"));
        Assert.NotNull(answer.Header("X-Request-ID"));
    }

    [Fact]
    public async Task HEAD_answers_as_GET_without_a_body()
    {
        var location = await service.CreateAsync(Some.TaskJson);
        foreach (var path in new[] { location, "/tasks", "/nope", "/tasks/1234", "/health/live" })
        {
            using var get = await service.SendAsync("GET", path);
            using var head = await service.SendAsync("HEAD", path);
            Assert.Equal(get.StatusCode, head.StatusCode);
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            // An error says the method, which has a letter more.
            var more = get.IsSuccessStatusCode ? 0 : 1;
            Assert.Equal(get.Content.Headers.ContentLength + more, head.Content.Headers.ContentLength);
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task A_target_in_absolute_form_is_taken_by_its_path()
    {
        var raw = await service.SendRawAsync(
            "GET http://example.org/tasks?x=1 HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_of_more_than_a_mebibyte_is_413_and_the_client_sees_it()
    {
        var large = new byte[8 * 1024 * 1024];
        using var withLength = await service.SendAsync("POST", "/tasks", RunningService.Bytes(large));
        await ErrorBody.AssertAsync(withLength, 413, "Content Too Large", "POST", "/tasks");
        using var stream = new MemoryStream(large);
        using var chunked = new StreamContent(stream);
        chunked.Headers.ContentLength = null;
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/tasks", UriKind.Relative))
        {
            Content = chunked,
        };
        request.Headers.TransferEncodingChunked = true;
        using var withoutLength = await service.Client.SendAsync(request);
        await ErrorBody.AssertAsync(withoutLength, 413, "Content Too Large", "POST", "/tasks");
    }

    [Theory]
    [InlineData("POST", "/nope", 404)]
    [InlineData("PUT", "/tasks", 405)]
    [InlineData("POST", "/tasks", 413)]
    public async Task Who_sends_a_large_body_and_asks_to_close_sees_the_answer(string method, string path, int status)
    {
        var head = $"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 8000000\r\n\r\n";
        byte[] request = [.. Encoding.Latin1.GetBytes(head), .. new byte[8_000_000]];
        for (var round = 0; round < TestRoot.Scale(5, 50); round++)
        {
            Assert.Equal(status, (await RawClient.SendAsync(service.Port, request)).Status);
        }
    }

    [Fact]
    public async Task A_body_that_is_not_framed_correctly_is_400()
    {
        var raw = await service.SendRawAsync(
            "POST /tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "ffffffffffffffffff\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 Bad Request\r\n", raw, StringComparison.Ordinal);
        Assert.Contains("\"message\":\"Bad Request\"", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_trace_is_in_no_error_unless_debug_is_on_and_something_was_thrown()
    {
        const string broken =
            "POST /tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        Assert.DoesNotContain("\"trace\"", await service.SendRawAsync(broken), StringComparison.Ordinal);
        await using var debug = await RunningService.StartAsync(debug: true);
        Assert.Contains("\"trace\":\"Microsoft", await debug.SendRawAsync(broken), StringComparison.Ordinal);
        using var notFound = await debug.SendAsync("GET", "/nope");
        Assert.DoesNotContain("\"trace\"", await notFound.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HEAD /tasks/none", 404)]
    [InlineData("GET /tasks/none", 404)]
    [InlineData("BREW /tasks", 405)]
    public async Task Nobody_is_asked_to_go_on_with_a_body_that_is_refused_already(string line, int status)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", service.Port);
        var head = $"{line} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        await client.GetStream().WriteAsync(System.Text.Encoding.Latin1.GetBytes(head));
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith($"HTTP/1.1 {status} ", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }
}
