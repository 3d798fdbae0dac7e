using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

public sealed class RequestIdTests : IAsyncLifetime
{
    private RunningService service = null!;

    public async ValueTask InitializeAsync() =>
        service = await RunningService.StartAsync(service: "request-id-header: My-Id");

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Theory]
    [InlineData("/tasks")]
    [InlineData("/nope")]
    [InlineData("/health/live")]
    public async Task A_request_without_an_id_gets_a_new_one(string path)
    {
        var ids = new HashSet<string>();
        for (var i = 0; i < 100; i++)
        {
            using var response = await service.SendAsync("GET", path);
            var id = Assert.Single(response.Headers.GetValues("X-Request-ID"));
            Assert.Matches("^[0-9a-f]{32}$", id);
            Assert.True(ids.Add(id), $"{id} came twice");
        }
    }

    [Theory]
    [InlineData("X-Request-ID", "a")]
    [InlineData("x-request-id", "abc.DEF_123-~+/=@:")]
    [InlineData("X-Correlation-ID", "c1")]
    [InlineData("Request-ID", "a6bd4f5e-0c5a-4b7e-9c1d-3f5a6b7c8d9e")]
    [InlineData("request-id", "|abc.def.")]
    [InlineData("X-Varnish", "32770")]
    [InlineData("My-Id", "mine")]
    public async Task An_id_that_comes_with_the_request_is_kept_if_it_is_harmless(string header, string id)
    {
        var kept = !id.Contains('|', StringComparison.Ordinal);
        Assert.Equal(kept, await IdForAsync((header, id)) == id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("inj\" x=1")]
    [InlineData("é")]
    [InlineData("{x}")]
    public async Task An_id_that_could_do_harm_is_replaced(string id) =>
        Assert.Matches("^[0-9a-f]{32}$", await IdForAsync(("X-Request-ID", id)));

    [Fact]
    public async Task An_id_has_128_characters_at_most()
    {
        Assert.Equal(new string('a', 128), await IdForAsync(("X-Request-ID", new string('a', 128))));
        Assert.Matches("^[0-9a-f]{32}$", await IdForAsync(("X-Request-ID", new string('a', 129))));
        Assert.Matches("^[0-9a-f]{32}$", await IdForAsync(("X-Request-ID", new string('a', 10_000))));
    }

    [Theory]
    [InlineData("a\rX-Injected: 1")]
    [InlineData("a\r\n X-Injected: 1")]
    [InlineData("a\nX-Injected: 1")]
    [InlineData("a\0b")]
    public async Task An_id_with_the_end_of_a_line_in_it_comes_back_in_no_answer(string id)
    {
        var raw = await service.SendRawAsync(
            $"GET /tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: {id}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 ", raw, StringComparison.Ordinal);
        Assert.DoesNotContain("X-Injected", raw, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_several_headers_the_configured_one_comes_first_and_the_others_in_their_order()
    {
        (string, string)[] all =
        [
            ("X-Varnish", "5"), ("Request-ID", "4"), ("X-Correlation-ID", "3"), ("X-Request-ID", "2"), ("My-Id", "1"),
        ];
        for (var left = all.Length; left > 0; left--)
        {
            Assert.Equal($"{all.Length - left + 1}", await IdForAsync(all[..left]));
        }
    }

    [Fact]
    public async Task A_bad_id_gives_way_to_the_next_header_and_of_one_header_the_first_value_counts()
    {
        Assert.Equal("x", await IdForAsync(("X-Request-ID", "x"), ("My-Id", "not this one")));
        Assert.Equal("first", await IdForAsync(("X-Request-ID", "first"), ("X-Request-ID", "second")));
    }

    [Theory]
    [InlineData("GET", "/tasks", 200)]
    [InlineData("OPTIONS", "/tasks", 204)]
    [InlineData("POST", "/tasks", 400)]
    [InlineData("GET", "/nope", 404)]
    [InlineData("DELETE", "/tasks", 405)]
    [InlineData("GET", "/health/ready", 200)]
    public async Task Every_answer_carries_the_id_whatever_its_status(string method, string path, int status)
    {
        using var response = await service.SendAsync(method, path, null, ("X-Request-ID", "mine"));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("mine", Assert.Single(response.Headers.GetValues("X-Request-ID")));
    }

    [Theory]
    [InlineData("/throws", 500, false)]
    [InlineData("/streams", 200, true)]
    public async Task An_answer_of_an_exception_and_one_that_is_streamed_carry_the_id(
        string path, int status, bool isChunked)
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: routes =>
            routes.MapGet("/streams", async (HttpContext http, CancellationToken cancel) =>
            {
                await http.Response.WriteAsync("chunk one\n", cancel);
                await http.Response.Body.FlushAsync(cancel);
                await http.Response.WriteAsync("chunk two\n", cancel);
            }));
        using var response = await app.SendAsync(path, ("X-Request-ID", "mine"));
        Assert.Equal((status, isChunked),
            ((int)response.StatusCode, response.Headers.TransferEncodingChunked == true));
        Assert.Equal("mine", Assert.Single(response.Headers.GetValues("X-Request-ID")));
    }

    [Fact]
    public async Task An_id_that_an_endpoint_puts_into_its_answer_stays_and_the_log_has_both()
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: routes =>
            routes.MapGet("/own", (HttpContext http) =>
            {
                http.Response.Headers["X-Request-ID"] = "foo";
                return Task.CompletedTask;
            }));
        using var response = await app.SendAsync("/own", ("X-Request-ID", "mine"));
        Assert.Equal("foo", Assert.Single(response.Headers.GetValues("X-Request-ID")));
        var line = (await app.LinesAsync(2))[1];
        Assert.Equal(("mine", "foo"), (line["req_id"], line["answered_id"]));
        var one = Assert.Single(await app.EventsAsync(1));
        Assert.Equal("mine", one.GetProperty("id").GetString());
        Assert.Equal("foo", one.GetProperty("body").GetProperty("answered_id").GetString());
    }

    private async Task<string> IdForAsync(params (string Name, string Value)[] headers)
    {
        var lines = string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n"));
        var raw = await service.SendRawAsync($"GET /tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n");
        const string name = "\r\nX-Request-ID: ";
        var start = raw.IndexOf(name, StringComparison.Ordinal) + name.Length;
        return raw[start..raw.IndexOf("\r\n", start, StringComparison.Ordinal)];
    }
}
