using Microsoft.AspNetCore.Builder;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>How long an answer is, as its line and its event say.</summary>
public sealed class SentBytesTests
{
    [Theory]
    [InlineData("/stream", 10)]
    [InlineData("/writer", 20)]
    [InlineData("/both", 16)]
    [InlineData("/file", 30)]
    [InlineData("/large", 300_000)]
    [InlineData("/nothing", 0)]
    public async Task The_size_of_an_answer_is_the_sum_of_the_bytes_of_its_body_in_whichever_way_it_is_sent(
        string path, int bytes)
    {
        using var directory = new TemporaryDirectory();
        await File.WriteAllBytesAsync(directory.File("thirty"), new byte[30]);
        await using var app = await ObservedApp.StartAsync(addRoutes: routes =>
        {
            routes.MapGet("/stream", async (HttpContext http, CancellationToken cancel) =>
            {
                await http.Response.Body.WriteAsync(new byte[6], cancel);
                await http.Response.Body.FlushAsync(cancel);
                await http.Response.Body.WriteAsync(new byte[4], cancel);
            });
            routes.MapGet("/writer", (HttpContext http) =>
            {
                // Neither flushed nor completed: the server does that.
                http.Response.BodyWriter.GetSpan(20)[..20].Fill((byte)'x');
                http.Response.BodyWriter.Advance(20);
                return Task.CompletedTask;
            });
            routes.MapGet("/both", async (HttpContext http, CancellationToken cancel) =>
            {
                await http.Response.WriteAsync("été", cancel);
                await http.Response.BodyWriter.WriteAsync(new byte[11], cancel);
                await http.Response.CompleteAsync();
            });
            routes.MapGet("/file", (HttpContext http, CancellationToken cancel) => http.Response.SendFileAsync(
                directory.File("thirty"), cancel));
            routes.MapGet("/large", async (HttpContext http, CancellationToken cancel) =>
            {
                for (var i = 0; i < 30; i++)
                {
                    await http.Response.Body.WriteAsync(new byte[10_000], cancel);
                }
            });
            routes.MapGet("/nothing", () => Task.CompletedTask);
        });
        var (status, body) = await app.GetAsync(path);
        Assert.Equal((HttpStatusCode.OK, bytes), (status, Encoding.UTF8.GetByteCount(body)));
        var one = Assert.Single(await app.EventsAsync(1)).GetProperty("body");
        Assert.Equal(bytes, one.GetProperty("bytes").GetInt32());
        Assert.Equal(bytes.ToString(CultureInfo.InvariantCulture), (await app.LinesAsync(2))[1]["bytes"]);
    }

    [Theory]
    [InlineData("/health/live", 20)]
    [InlineData("/tasks", 2)]
    [InlineData("/nope", null)]
    public async Task An_answer_to_HEAD_has_none(string path, int? ofGet)
    {
        using var files = new LogFiles();
        await using var service = await RunningService.StartAsync(logging: files.Yaml);
        using var get = await service.SendAsync("GET", path);
        using var head = await service.SendAsync("HEAD", path);
        var body = await get.Content.ReadAsStringAsync();
        Assert.Equal(ofGet ?? body.Length, body.Length);
        var lines = (await files.LinesAsync("logfmt", 5)).Select(LogfmtLine.Parse).ToList();
        Assert.Equal([$"{body.Length}", "0"], new[] { lines[2], lines[4] }.Select(line => line["bytes"]));
    }
}
