using TaskService.Tests.Support;

namespace TaskService.Tests.Api;

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
    [InlineData("Request-ID", "|abc.def.")]
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
    }

    [Fact]
    public async Task The_configured_header_comes_first_and_a_bad_one_gives_way_to_the_next()
    {
        Assert.Equal("mine", await IdForAsync(("X-Request-ID", "x"), ("My-Id", "mine")));
        Assert.Equal("x", await IdForAsync(("X-Request-ID", "x"), ("My-Id", "not this one")));
        Assert.Equal("x", await IdForAsync(("X-Correlation-ID", "c"), ("X-Request-ID", "x")));
        Assert.Equal("first", await IdForAsync(("X-Request-ID", "first"), ("X-Request-ID", "second")));
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
