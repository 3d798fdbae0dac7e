using System.Net.Sockets;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What is too large, too many or too slow is refused, and nobody else notices.</summary>
public sealed class LimitTests
{
    [Theory]
    [InlineData("body-bytes-max: 20", "POST /tasks HTTP/1.1", "", 21, 413, "body-bytes-max")]
    [InlineData("body-bytes-max: 20", "POST /tasks HTTP/1.1", "", 20, 400, null)]
    [InlineData("request-line-bytes-max: 64", "GET /tasks?# HTTP/1.1", "", 0, 414, "request-line-bytes-max")]
    [InlineData("header-bytes-max: 200", "GET /tasks HTTP/1.1", "X-Long: #", 0, 431, "header-bytes-max")]
    [InlineData("headers-max: 3", "GET /tasks HTTP/1.1", "A: 1\r\nB: 2", 0, 431, "header-bytes-max")]
    [InlineData("headers-max: 4", "GET /tasks HTTP/1.1", "A: 1\r\nB: 2", 0, 200, null)]
    public async Task What_is_too_large_is_refused_and_counted(
        string http, string line, string header, int body, int status, string? counted)
    {
        using var hits = new LimitHits();
        await using var service = await RunningService.StartAsync(http: http);
        var long200 = new string('x', 200);
        line = line.Replace("#", long200, StringComparison.Ordinal);
        var lines = header.Replace("#", long200, StringComparison.Ordinal);
        var length = body == 0 ? "" : $"Content-Length: {body}\r\n";
        var head = $"{line}\r\nHost: a\r\nConnection: close\r\n{length}{lines}{(lines.Length > 0 ? "\r\n" : "")}\r\n";
        var answer = await RawClient.SendAsync(service.Port, Encoding.Latin1.GetBytes(head + new string(' ', body)));
        Assert.Equal(status, answer.Status);
        if (counted is not null)
        {
            await CountedAsync(hits, $"taskservice.http.limit.hits {counted}");
        }
    }

    [Theory]
    [InlineData("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /#URL HTTP/1.1\r\nHost: a\r\n\r\n", 414)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nA: #\r\n\r\n", 431)]
    [InlineData("nonsense\r\n\r\n", 400)]
    public async Task What_never_becomes_a_request_is_counted_and_has_a_line(string request, int status)
    {
        using var hits = new LimitHits();
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml);
        var bytes = Encoding.Latin1.GetBytes(request.Replace("#", new string('x', 40_000), StringComparison.Ordinal));
        var answer = await RawClient.SendAsync(service.Port, bytes);
        Assert.Equal((status, ""), (answer.Status, answer.Body));
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 2))[1]);
        Assert.Equal(
            ("REFUSED", $"{status}", "127.0.0.1", "WARNING"),
            (line["message"], line["status"], line["ip"], line["level"]));
        Assert.NotEqual("", line["reason"]);
        await CountedAsync(hits, $"taskservice.http.refusals {status}");
    }

    [Fact]
    public async Task A_request_that_was_answered_is_not_counted_as_one_that_never_was()
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml);
        var broken = "POST /tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"u8.ToArray();
        var answer = await RawClient.SendAsync(service.Port, broken);
        // Else the rest of it would be taken for the next request.
        Assert.Equal((400, "close"), (answer.Status, answer.Header("Connection")));
        Assert.Equal(400, (await RawClient.SendAsync(service.Port, "x\r\n\r\n"u8.ToArray())).Status);
        var messages = (await files.LinesAsync("logfmt", 4)).Select(line => LogfmtLine.Parse(line)["message"]);
        Assert.Equal(["STARTING", "REQUEST", "RESPONSE", "REFUSED"], messages);
    }

    [Fact]
    public async Task A_body_that_does_not_arrive_in_time_is_408()
    {
        using var hits = new LimitHits();
        await using var service = await RunningService.StartAsync(http: "request-time-max-ms: 300");
        var head = "POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"u8.ToArray();
        var answer = await RawClient.SendAsync(service.Port, head);
        Assert.Equal(408, answer.Status);
        Assert.Contains("\"message\":\"Request Timeout\"", answer.Body, StringComparison.Ordinal);
        await CountedAsync(hits, "taskservice.http.limit.hits request-time-max-ms");
    }

    [Fact]
    public async Task A_head_that_does_not_arrive_in_time_is_408()
    {
        using var hits = new LimitHits();
        await using var service = await RunningService.StartAsync(http: "header-time-max-ms: 300");
        Assert.Equal(408, (await RawClient.SendAsync(service.Port, "GET /tasks HT"u8.ToArray())).Status);
        await CountedAsync(hits, "taskservice.http.limit.hits header-time-max-ms");
    }

    [Fact]
    public async Task More_connections_than_are_allowed_are_closed_and_the_others_go_on()
    {
        using var hits = new LimitHits();
        await using var service = await RunningService.StartAsync(http: "connections-max: 1");
        using var first = await service.SendAsync("GET", "/tasks");
        Assert.Equal(200, (int)first.StatusCode);
        // The client keeps its connection, so that another one is too many.
        var second = await RawClient.SendAsync(service.Port, "GET /tasks HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
        Assert.Equal(0, second.Status);
        await CountedAsync(hits, "kestrel.rejected_connections");
        using var again = await service.SendAsync("GET", "/tasks");
        Assert.Equal(200, (int)again.StatusCode);
    }

    [Fact]
    public async Task Honest_clients_are_served_beside_500_that_send_a_byte_or_half_a_body_and_wait()
    {
        string[] begins =
        [
            "G",
            "POST /tasks HTTP/1.1\r\nA: b\r\n",
            "POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{\"t",
        ];
        await using var service = await RunningService.StartAsync();
        var slow = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 500; i++)
            {
                var client = new TcpClient();
                slow.Add(client);
                await client.ConnectAsync("127.0.0.1", service.Port);
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(begins[i % begins.Length]));
            }
            for (var i = 0; i < 200; i++)
            {
                using var response = await service.SendAsync("GET", "/tasks");
                Assert.Equal(200, (int)response.StatusCode);
            }
        }
        finally
        {
            slow.ForEach(client => client.Dispose());
        }
    }

    private static Task CountedAsync(LimitHits hits, string counter) =>
        Until.TrueAsync(() => hits[counter] > 0, $"{counter} to count");
}
