using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What an operator reads of a request, in files as they are written.</summary>
public sealed class RequestLogTests : IAsyncLifetime
{
    private const string BriefHead = @"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} taskservice (INFO|WARNING|ERROR) : ";

    private readonly LogFiles files = new();
    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync(logging: files.Yaml);

    public async ValueTask DisposeAsync()
    {
        await service.DisposeAsync();
        files.Dispose();
    }

    [Fact]
    public async Task A_request_is_a_REQUEST_and_a_RESPONSE_line_with_the_fields_of_the_tutorial_in_its_order()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/tasks?x=1", UriKind.Relative));
        request.Headers.Add("User-Agent", "test/1.0");
        using var response = await service.Client.SendAsync(request);
        var lines = (await files.LinesAsync("logfmt", 3)).Select(LogfmtLine.Parse).ToArray();

        Assert.Equal(["time", "logger", "level", "message", "service_name", "port"], lines[0].Keys);
        Assert.Equal("STARTING", lines[0]["message"]);
        Assert.Equal("TodoList", lines[0]["service_name"]);
        Assert.Equal($"{service.Port}", lines[0]["port"]);

        Assert.Equal(
            ["time", "logger", "level", "req_id", "method", "uri", "ip", "message", "service_name"],
            lines[1].Keys);
        Assert.Equal(
            ("taskservice", "DEBUG", "REQUEST"),
            (lines[1]["logger"], lines[1]["level"], lines[1]["message"]));

        Assert.Equal(
            [
                "time", "logger", "level", "req_id", "method", "uri", "ip", "message",
                "status", "time_ms", "route", "bytes", "user_agent", "trace_id",
            ],
            lines[2].Keys);
        Assert.Matches(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}$", lines[2]["time"]);
        Assert.Equal(("INFO", "RESPONSE", "200"), (lines[2]["level"], lines[2]["message"], lines[2]["status"]));
        Assert.Equal(("GET", "/tasks?x=1", "127.0.0.1"), (lines[2]["method"], lines[2]["uri"], lines[2]["ip"]));
        Assert.Equal(("/tasks", "2", "test/1.0"), (lines[2]["route"], lines[2]["bytes"], lines[2]["user_agent"]));
        Assert.Matches(@"^\d+\.\d{3}$", lines[2]["time_ms"]);
        Assert.Matches("^[0-9a-f]{32}$", lines[2]["trace_id"]);
        Assert.Equal(lines[1]["req_id"], lines[2]["req_id"]);
        Assert.Equal(Assert.Single(response.Headers.GetValues("X-Request-ID")), lines[2]["req_id"]);
    }

    [Fact]
    public async Task The_brief_format_has_a_bare_head_and_no_REQUEST()
    {
        using var response = await service.SendAsync("GET", "/tasks");
        var lines = await files.LinesAsync("brief", 2);
        Assert.All(lines, line => Assert.Matches(BriefHead, line));
        Assert.Equal("STARTING", LogfmtLine.ParseBrief(lines[0])["message"]);
        Assert.Equal("RESPONSE", LogfmtLine.ParseBrief(lines[1])["message"]);
    }

    [Fact]
    public async Task The_json_format_is_compact_events()
    {
        using var response = await service.SendAsync("GET", "/nope");
        var lines = await files.LinesAsync("json", 3);
        var line = JsonDocument.Parse(lines[2]).RootElement;
        Assert.Equal("RESPONSE", line.GetProperty("@mt").GetString());
        Assert.Equal("Warning", line.GetProperty("@l").GetString());
        Assert.Equal(TimeSpan.Zero, line.GetProperty("@t").GetDateTimeOffset().Offset);
        Assert.Equal("taskservice", line.GetProperty("SourceContext").GetString());
        Assert.Equal(404, line.GetProperty("status").GetInt32());
        Assert.Equal(JsonValueKind.Number, line.GetProperty("time_ms").ValueKind);
        Assert.Equal(JsonValueKind.Null, line.GetProperty("user_agent").ValueKind);
        Assert.False(JsonDocument.Parse(lines[0]).RootElement.TryGetProperty("@l", out _));
    }

    [Fact]
    public async Task A_named_format_writes_its_fields_in_its_order()
    {
        using var response = await service.SendAsync("GET", "/tasks");
        var line = LogfmtLine.Parse((await files.LinesAsync("audit", 2))[1]);
        Assert.Equal(["time", "req_id", "method", "uri", "status"], line.Keys);
    }

    [Theory]
    [InlineData("GET", "/nope", 404, "WARNING", "Unknown Endpoint", "_not_found")]
    [InlineData("PATCH", "/tasks", 405, "WARNING", "Method Not Allowed", "/tasks")]
    [InlineData("GET", "/tasks/a", 404, "WARNING", "Task 'a' does not exist", "/tasks/{id}")]
    [InlineData("POST", "/tasks", 400, "WARNING", "Invalid JSON body", "/tasks")]
    public async Task A_refusal_has_its_reason_and_all_the_context(
        string method, string path, int status, string level, string reason, string route)
    {
        using var response = await service.SendAsync(method, path);
        var lines = (await files.LinesAsync("logfmt", 3)).Select(LogfmtLine.Parse).ToArray();
        Assert.Equal("REQUEST", lines[1]["message"]);
        Assert.Equal((reason, level, $"{status}"), (lines[2]["reason"], lines[2]["level"], lines[2]["status"]));
        Assert.Equal((method, path, route), (lines[2]["method"], lines[2]["uri"], lines[2]["route"]));
        Assert.DoesNotContain("trace", lines[2].Keys);
        Assert.Equal(lines[1]["req_id"], lines[2]["req_id"]);
    }

    [Fact]
    public async Task A_client_that_leaves_within_its_body_is_499_and_nobody_else_complains()
    {
        using (var client = new System.Net.Sockets.TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", service.Port);
            var head = "POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"u8.ToArray();
            await client.GetStream().WriteAsync(head);
            await files.LinesAsync("logfmt", 2);
        }
        await files.LinesAsync("logfmt", 3);
        using var next = await service.SendAsync("GET", "/tasks");
        var lines = (await files.LinesAsync("logfmt", 5)).Select(LogfmtLine.Parse).ToArray();
        Assert.Equal(("INFO", "499", "0"), (lines[2]["level"], lines[2]["status"], lines[2]["bytes"]));
        Assert.DoesNotContain("reason", lines[2].Keys);
    }

    [Theory]
    [InlineData("HTTP/1.1")]
    [InlineData("HTTP/1.0\r\nConnection: keep-alive")]
    public async Task What_a_client_left_unfinished_is_not_read_as_another_request(string version)
    {
        const int clients = 20;
        for (var i = 1; i <= clients; i++)
        {
            using (var client = new System.Net.Sockets.TcpClient())
            {
                await client.ConnectAsync("127.0.0.1", service.Port);
                var head = $"POST /tasks {version}\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{";
                await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes(head));
            }
            // REQUEST and RESPONSE, and no REFUSED.
            await files.LinesAsync("logfmt", 1 + (2 * i));
        }
        using var next = await service.SendAsync("GET", "/tasks");
        var lines = (await files.LinesAsync("logfmt", 3 + (2 * clients))).Select(LogfmtLine.Parse);
        Assert.Equal(clients, lines.Count(line => line["message"] == "RESPONSE" && line["status"] == "499"));
    }

    [Fact]
    public async Task Health_is_logged_at_debug_only()
    {
        using var ready = await service.SendAsync("GET", "/health/ready");
        using var tasks = await service.SendAsync("GET", "/tasks");
        var brief = await files.LinesAsync("brief", 2);
        Assert.Equal(["STARTING", "RESPONSE"], brief.Select(line => LogfmtLine.ParseBrief(line)["message"]));
        var lines = (await files.LinesAsync("logfmt", 5)).Select(LogfmtLine.Parse).ToArray();
        Assert.Equal(("DEBUG", "/health/ready"), (lines[2]["level"], lines[2]["route"]));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("quote \" backslash \\ both \\\" end\\")]
    [InlineData("a=b c=\"d\"")]
    [InlineData("tab\tinside")]
    [InlineData("caf\u00e9 \u0085 \u00a0 \u0080\u009f")]
    public async Task One_event_is_one_line_and_each_value_comes_back_whatever_a_client_sends(string value)
    {
        // Raw bytes, as the wire has them: a client library would refuse some of this. The server lets less into a
        // target.
        var target = "/tasks?q=" + string.Concat(value.Where(c => c is > ' ' and < '\x7f'));
        await service.SendRawAsync(
            $"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: {value}\r\n\r\n");
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[^1]);
        Assert.Equal("RESPONSE", line["message"]);
        Assert.Equal(value, line["user_agent"]);
        Assert.Equal(target, line["uri"]);
    }

    [Theory]
    [InlineData("636166c3a920e29c93", "caf\u00e9 \u2713")]
    [InlineData("f09f9880", "\U0001F600")]
    [InlineData("e280a8", "\u2028")]
    [InlineData("636166e9", "caf\u00e9")]
    [InlineData("c3a9e9", "\u00c3\u00a9\u00e9")]
    [InlineData("eda080", "\u00ed\u00a0\u0080")]
    [InlineData("c0af", "\u00c0\u00af")]
    public async Task A_header_in_UTF_8_is_that_text_and_any_other_bytes_are_Latin_1(string hex, string text)
    {
        await service.SendRawAsync(
        [
            .. "GET /tasks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: "u8,
            .. Convert.FromHexString(hex), .. "\r\n\r\n"u8,
        ]);
        var line = LogfmtLine.Parse((await files.LinesAsync("logfmt", 3))[^1]);
        Assert.Equal(text, line["user_agent"]);
    }
}
