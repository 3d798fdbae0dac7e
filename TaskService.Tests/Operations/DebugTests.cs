using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>What an operator finds out about the process, and tries of what is around the service.</summary>
public sealed class DebugTests
{
    [Fact]
    public async Task The_stacks_of_all_managed_threads_are_there_and_equal_ones_are_together()
    {
        await using var service = await OperatedService.StartAsync();
        using var ready = new CountdownEvent(3);
        using var over = new ManualResetEventSlim();
        var threads = Enumerable.Range(0, 3).Select(_ => new Thread(() => StandStill(ready, over))).ToList();
        threads.ForEach(thread => thread.Start());
        try
        {
            Assert.True(ready.Wait(Until.Limit));
            // Those who ask meanwhile get the same one.
            var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StacksAsync(service)));
            Assert.Contains(all.GroupBy(text => text), same => same.Count() > 1);
            var paragraphs = all[0].ReplaceLineEndings("\n").Split("\n\n");
            Assert.Matches(@"\A[0-9]+ managed threads\z", paragraphs[0]);
            var still = Assert.Single(
                paragraphs, one => one.Contains(nameof(StandStill), StringComparison.Ordinal));
            Assert.StartsWith("# 3 threads: ", still, StringComparison.Ordinal);
            Assert.Matches(
                $@"\n  TaskService\.Tests!TaskService\.Tests\.Operations\.DebugTests\.{nameof(StandStill)}\(", still);
            // Of the service itself, there is at least the thread that looks.
            Assert.Contains(paragraphs[1..], one => Regex.IsMatch(
                one, @"\A# Thread: .*\([0-9]+\)\n(.*\n)*  TaskService!TaskService\.Operations\.ThreadStacks\."));
        }
        finally
        {
            over.Set();
            threads.ForEach(thread => thread.Join());
        }
    }

    [Fact]
    public async Task Stacks_load_their_libraries_when_they_are_asked_for()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc");
        using var directory = new TemporaryDirectory();
        using var process = Start(directory, "1");
        using var client = await ClientAsync(process);
        Assert.DoesNotContain("Microsoft.Diagnostics", Maps(process), StringComparison.Ordinal);
        Assert.Contains("ThreadStacks", await client.GetStringAsync(Stacks), StringComparison.Ordinal);
        Assert.Contains("Microsoft.Diagnostics", Maps(process), StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(directory.File("tmp")));

        static string Maps(ServiceProcess process) => File.ReadAllText($"/proc/{process.Id}/maps");
    }

    [Fact]
    public async Task Without_diagnostics_stacks_are_not_implemented()
    {
        using var directory = new TemporaryDirectory();
        using var process = Start(directory, "0");
        using var client = await ClientAsync(process);
        using var response = await client.GetAsync(Stacks);
        var body = await ErrorBody.AssertAsync(
            response, 501, "Diagnostics are switched off", "GET", "/ops/debug/stacks");
        Assert.Contains("DOTNET_EnableDiagnostics", $"{body.GetProperty("detail")}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_memory_of_the_process_is_told_in_numbers()
    {
        await using var service = await OperatedService.StartAsync();
        GC.Collect();
        var memory = await service.JsonAsync("GET", "debug/memory");
        foreach (var name in new[]
        {
            "working_set_bytes", "managed_bytes", "allocated_bytes_total", "heap_bytes", "committed_bytes",
        })
        {
            Assert.InRange(memory.GetProperty(name).GetInt64(), 1, long.MaxValue);
        }
        Assert.InRange(
            memory.GetProperty("generations").GetProperty("2").GetProperty("collections").GetInt64(), 1, int.MaxValue);
        Assert.InRange(memory.GetProperty("pauses").GetProperty("total_ms").GetDouble(), double.Epsilon, 1e9);
        Assert.InRange(memory.GetProperty("machine").GetProperty("limit_bytes").GetInt64(), 1, long.MaxValue);
    }

    [Fact]
    public async Task Headers_are_shown_as_they_came_without_their_secrets()
    {
        await using var service = await OperatedService.StartAsync();
        using var response = await service.SendAsync(
            "GET", "debug/headers", ("X-Forwarded-For", "10.1.2.3"), ("Authorization", "Bearer canary-of-a-token"),
            ("Cookie", "a=b; session=canary-of-a-cookie"), ("X-Copied", "it was canary-of-a-token"),
            ("Referer", "/x?secret=canary-of-a-query"), ("X-Two", "1"), ("X-Two", "2"));
        var text = await response.Content.ReadAsStringAsync();
        Assert.DoesNotContain("canary", text, StringComparison.Ordinal);
        Assert.DoesNotContain(OperatedService.Secret, text, StringComparison.Ordinal);
        Assert.Equal("no-store", $"{response.Headers.CacheControl}");
        var body = JsonElement.Parse(text);
        Assert.Equal(
            ("127.0.0.1", "http", "HTTP/1.1"), (Text(body, "ip"), Text(body, "scheme"), Text(body, "protocol")));
        var headers = body.GetProperty("headers");
        Assert.Equal(
            ("10.1.2.3", "***", "***", "***", "***", "***", "1, 2"),
            (Text(headers, "X-Forwarded-For"), Text(headers, "Authorization"), Text(headers, "Cookie"),
                Text(headers, "X-API-Key"), Text(headers, "X-Copied"), Text(headers, "Referer"),
                Text(headers, "X-Two")));

        static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
    }

    [Fact]
    public async Task A_request_sleeps_as_long_as_it_is_told_or_until_its_client_goes()
    {
        using var files = new LogFiles();
        await using var service = await OperatedService.StartAsync(files.Yaml);
        using (var response = await service.SendAsync("GET", "debug/sleep?ms=1"))
        {
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        }
        foreach (var wrong in new[] { "", "?ms=", "?ms=-1", "?ms=60001", "?ms=x", "?ms=1&ms=1", "?ms=1.5" })
        {
            using var response = await service.SendAsync("GET", $"debug/sleep{wrong}");
            var body = await ErrorBody.AssertAsync(response, 400, "Invalid query", "GET", "/ops/debug/sleep");
            Assert.Contains("0 to 60000", $"{body.GetProperty("detail")}", StringComparison.Ordinal);
        }
        using (var client = new TcpClient("127.0.0.1", service.Port))
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"GET /ops/debug/sleep?ms=60000 HTTP/1.1\r\nHost: x\r\nX-API-Key: {OperatedService.Secret}\r\n\r\n"));
            await Until.TrueAsync(() => Lines("REQUEST").Contains("ms=60000"), "the request");
        }
        await Until.TrueAsync(() => Lines("RESPONSE").Contains("ms=60000"), "the end of the request");
        Assert.Matches("uri=\"/ops/debug/sleep\\?ms=60000\".* status=499 ", Lines("RESPONSE"));

        string Lines(string message) => string.Join('\n', files.Read("logfmt").Where(
            line => line.Contains($"message=\"{message}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_error_can_be_tried_and_says_nothing_of_itself()
    {
        using var files = new LogFiles();
        await using var service = await OperatedService.StartAsync(files.Yaml);
        using var response = await service.SendAsync("GET", "debug/error");
        await ErrorBody.AssertAsync(response, 500, "Internal Server Error", "GET", "/ops/debug/error");
        var line = await Until.ResultAsync(
            () => Array.Find(files.Read("logfmt"), line => line.Contains("status=500", StringComparison.Ordinal)),
            "the line of the error");
        Assert.Equal("ERROR", LogfmtLine.Parse(line)["level"]);
        Assert.Contains("to try alerting", LogfmtLine.Parse(line)["trace"], StringComparison.Ordinal);
    }

    private static readonly Uri Stacks = new("/ops/debug/stacks", UriKind.Relative);

    private static void StandStill(CountdownEvent ready, ManualResetEventSlim over)
    {
        ready.Signal();
        over.Wait(Until.Limit);
    }

    private static async Task<string> StacksAsync(OperatedService service)
    {
        using var response = await service.SendAsync("GET", "debug/stacks");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/plain; charset=utf-8", $"{response.Content.Headers.ContentType}");
        return await response.Content.ReadAsStringAsync();
    }

    private static ServiceProcess Start(TemporaryDirectory directory, string diagnostics)
    {
        File.WriteAllText(directory.File("c.yaml"), $$"""
            service: { address: 127.0.0.1, port: 0 }
            task-db: { memory: }
            operations: { debug-view-secret: "{{OperatedService.Secret}}" }
            """);
        Directory.CreateDirectory(directory.File("tmp"));
        return ServiceProcess.Start(
            directory.Path,
            [("DOTNET_EnableDiagnostics", diagnostics), ("TMPDIR", directory.File("tmp"))],
            "-c",
            "c.yaml");
    }

    private static async Task<HttpClient> ClientAsync(ServiceProcess process)
    {
        var client = await process.ClientAsync();
        client.DefaultRequestHeaders.Add("X-API-Key", OperatedService.Secret);
        return client;
    }
}
