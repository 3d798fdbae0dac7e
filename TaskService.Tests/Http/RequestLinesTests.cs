using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using TaskService.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What all lines of one request have in common, whoever writes them.</summary>
public sealed class RequestLinesTests
{
    [Theory]
    [InlineData("/works", 200, "INFO")]
    [InlineData("/refuses", 404, "WARNING")]
    [InlineData("/fails", 500, "ERROR")]
    public async Task Every_line_of_a_request_has_its_id_and_the_level_of_the_last_follows_the_status(
        string path, int status, string level)
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: AddLogging);
        using var answer = await app.SendAsync(path);
        Assert.Equal(status, (int)answer.StatusCode);
        var id = Assert.Single(answer.Headers.GetValues("X-Request-ID"));
        var lines = await app.LinesAsync(3);
        Assert.Equal(["REQUEST", "at work", "RESPONSE"], lines.Select(line => line["message"]));
        Assert.All(lines, line => Assert.Equal(id, line["req_id"]));
        Assert.Equal((level, $"{status}"), (lines[2]["level"], lines[2]["status"]));
    }

    [Fact]
    public async Task The_line_of_an_exception_that_nobody_caught_has_the_id_of_the_answer_and_its_stack()
    {
        await using var app = await ObservedApp.StartAsync(addRoutes: AddLogging);
        using var answer = await app.SendAsync("/fails");
        var line = (await app.LinesAsync(3))[2];
        Assert.Equal(Assert.Single(answer.Headers.GetValues("X-Request-ID")), line["req_id"]);
        Assert.StartsWith("System.IO.InvalidDataException: broken", line["trace"], StringComparison.Ordinal);
        Assert.Contains(nameof(AddLogging), line["trace"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_line_has_the_address_of_the_client_and_nothing_for_what_it_did_not_send()
    {
        Assert.SkipWhen(OperatingSystem.IsMacOS(), "has no second address of its own");
        await using var app = await ObservedApp.StartAsync();
        using var client = new TcpClient(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
        await client.ConnectAsync("127.0.0.1", app.Address.Port);
        await client.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes("GET /logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        var line = (await app.LinesAsync(2))[1];
        Assert.Equal(("127.0.0.2", "200", null), (line["ip"], line["status"], line["user_agent"]));
    }

    [Fact]
    public async Task Two_services_in_one_process_write_each_line_once_and_into_their_own_log()
    {
        await using var first = await ObservedApp.StartAsync(addRoutes: AddLogging);
        await using var second = await ObservedApp.StartAsync(addRoutes: AddLogging);
        using var ofFirst = await first.SendAsync("/works", ("X-Request-ID", "first"));
        using var ofSecond = await second.SendAsync("/works", ("X-Request-ID", "second"));
        // These fail when there are more.
        var lines = new[] { await first.LinesAsync(3), await second.LinesAsync(3) };
        Assert.All(lines[0], line => Assert.Equal("first", line["req_id"]));
        Assert.All(lines[1], line => Assert.Equal("second", line["req_id"]));
    }

    private static void AddLogging(WebApplication routes)
    {
        routes.MapGet("/works", (HttpContext http) =>
        {
            ObservedApp.LoggerOf(http).LogInformation("at work");
            return Task.CompletedTask;
        });
        routes.MapGet("/refuses", (HttpContext http) =>
        {
            ObservedApp.LoggerOf(http).LogInformation("at work");
            return ValueTask.FromResult<ApiResult>(Problem.UnknownEndpoint);
        });
        routes.MapGet("/fails", async (HttpContext http) =>
        {
            ObservedApp.LoggerOf(http).LogInformation("at work");
            await Task.Yield();
            throw new InvalidDataException("broken");
        });
    }
}
