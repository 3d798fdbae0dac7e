using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What never becomes a request on HTTP/2, where the client gets no answer but a reset.</summary>
public sealed class RefusedStreamTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly LogFiles files = new();

    public void Dispose()
    {
        files.Dispose();
        directory.Dispose();
    }

    [Theory]
    [InlineData(":path", "/#", 414, "RST_STREAM", "request-line-bytes-max")]
    [InlineData(":authority", "a b", 400, "RST_STREAM", null)]
    [InlineData("host", "a b", 400, "RST_STREAM", null)]
    [InlineData(":method", "G ET", 400, "RST_STREAM", null)]
    [InlineData(":path", "tasks", 400, "RST_STREAM", null)]
    [InlineData(":scheme", "ftp", 400, "RST_STREAM", null)]
    [InlineData(":path", null, 400, "RST_STREAM", null)]
    [InlineData("content-length", "5", 400, "RST_STREAM", null)]
    [InlineData("X-Upper", "1", 400, "GOAWAY", null)]
    public async Task It_is_counted_and_has_a_line(string name, string? value, int status, string frame, string? limit)
    {
        using var hits = new LimitHits();
        await using var service = await StartAsync();
        var headers = new Dictionary<string, string>
        {
            [":method"] = "GET",
            [":scheme"] = "https",
            [":path"] = "/tasks",
        };
        headers.Remove(name);
        if (value is not null)
        {
            headers[name] = value.Replace("#", new string('x', 9_000), StringComparison.Ordinal);
        }
        Assert.Equal(frame, await Http2Client.SendAsync(service.Port, headers.Select(pair => (pair.Key, pair.Value))));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(
            ("REFUSED", $"{status}", "127.0.0.1", "WARNING", "HTTP/2"),
            (line["message"], line["status"], line["ip"], line["level"], line["protocol"]));
        Assert.NotEqual("", line["reason"]);
        await CountedAsync(hits, $"taskservice.http.refusals {status}");
        if (limit is not null)
        {
            await CountedAsync(hits, $"taskservice.http.limit.hits {limit}");
        }
    }

    [Fact]
    public async Task A_request_that_is_answered_is_none_of_them()
    {
        await using var service = await StartAsync();
        var frame = await Http2Client.SendAsync(
            service.Port, [(":method", "GET"), (":scheme", "https"), (":path", "/tasks"), (":authority", "a")]);
        Assert.Equal("HEADERS", frame);
        var messages = (await files.LinesAsync("logfmt", 3)).Select(line => LogfmtLine.Parse(line)["message"]);
        Assert.Equal(["STARTING", "REQUEST", "RESPONSE"], messages);
    }

    [Fact]
    public async Task A_body_that_is_longer_than_its_length_has_a_line_beside_that_of_its_request()
    {
        await using var service = await StartAsync();
        (string, string)[] head =
            [(":method", "POST"), (":scheme", "https"), (":path", "/tasks"), ("content-length", "1")];
        Assert.Equal("RST_STREAM", await Http2Client.SendAsync(service.Port, head, "{}{}{}"u8.ToArray()));
        var lines = (await files.LinesAsync("logfmt", 4)).Select(LogfmtLine.Parse).ToList();
        Assert.Equal(
            ["REFUSED", "REQUEST", "RESPONSE", "STARTING"], lines.Select(line => line["message"]).Order());
        Assert.Equal("499", lines.Single(line => line["message"] == "RESPONSE")["status"]);
    }

    [Fact]
    public async Task Too_many_headers_are_431_as_in_HTTP_1_1()
    {
        using var hits = new LimitHits();
        await using var service = await StartAsync();
        var many = Enumerable.Range(0, 150).Select(number => ($"x-{number}", "1"));
        await Http2Client.SendAsync(
            service.Port, [(":method", "GET"), (":scheme", "https"), (":path", "/tasks"), .. many]);
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(("REFUSED", "431", "127.0.0.1"), (line["message"], line["status"], line["ip"]));
        await CountedAsync(hits, "taskservice.http.limit.hits header-bytes-max");
    }

    private Task<RunningService> StartAsync()
    {
        SomeCertificate.Make().WriteTo(directory);
        var tls = $"tls: {{ cert: '{directory.File("cert.pem")}', key: '{directory.File("key.pem")}' }}";
        return RunningService.StartAsync(logging: files.Yaml, service: tls);
    }

    private static Task CountedAsync(LimitHits hits, string counter) =>
        Until.TrueAsync(() => hits[counter] > 0, $"{counter} to count");
}
