using System.IO.Compression;
using System.Text;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http;

/// <summary>What is sent and taken in which form: media types and codings, both ways.</summary>
public sealed class NegotiationTests : IAsyncLifetime
{
    private RunningService service = null!;

    public async ValueTask InitializeAsync() => service = await RunningService.StartAsync();

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("x-gzip", "gzip")]
    [InlineData("br", "br")]
    [InlineData("gzip, br", "br")]
    [InlineData("gzip, deflate, br, zstd", "br")]
    [InlineData("gzip;q=1, br;q=0.5", "gzip")]
    [InlineData("gzip;q=0, br;q=0", "")]
    [InlineData("identity;q=1, gzip;q=0.5", "")]
    [InlineData("gzip;q=0.5, identity;q=0.5", "gzip")]
    [InlineData("*", "br")]
    [InlineData("br;q=0, *", "gzip")]
    [InlineData("deflate", "")]
    [InlineData("", "")]
    [InlineData("nonsense;;;", "")]
    [InlineData("identity;q=0, gzip", "gzip")]
    public async Task A_large_body_is_coded_as_the_client_likes_it_best(string accept, string coding)
    {
        var small = await service.CreateAsync(Some.TaskJson);
        var large = await service.CreateAsync($$"""{"title":"t","description":"{{new string('x', 2_000)}}"}""");
        var list = await AssertCodedAsync("/tasks", accept, coding);
        Assert.Contains("xxx", list, StringComparison.Ordinal);
        await AssertCodedAsync(large, accept, coding);
        var isCodedAnyhow = accept.StartsWith("identity;q=0", StringComparison.Ordinal);
        await AssertCodedAsync(small, accept, isCodedAnyhow ? coding : "");
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_list_that_is_streamed_is_coded_too(string coding)
    {
        for (var i = 0; i < 60; i++)
        {
            await service.CreateAsync($$"""{"title":"{{i}}","description":"{{new string('x', 5_000)}}"}""");
        }
        using var response = await service.SendAsync("GET", "/tasks", null, ("Accept-Encoding", coding));
        Assert.Equal(coding, Assert.Single(response.Content.Headers.ContentEncoding));
        Assert.True(response.Headers.TransferEncodingChunked);
        var plain = await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative));
        Assert.Equal(plain, await DecodeAsync(response));
        // By now it is kept, and coded as a whole.
        using var kept = await service.SendAsync("GET", "/tasks", null, ("Accept-Encoding", coding));
        Assert.Equal(coding, Assert.Single(kept.Content.Headers.ContentEncoding));
        Assert.Null(kept.Headers.TransferEncodingChunked);
        Assert.Equal(plain, await DecodeAsync(kept));
        using var head = await service.SendAsync("HEAD", "/tasks", null, ("Accept-Encoding", coding));
        Assert.Equal(response.Content.Headers.ContentEncoding, head.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("application/json", 200)]
    [InlineData("application/json; charset=utf-8", 200)]
    [InlineData("application/*", 200)]
    [InlineData("*/*", 200)]
    [InlineData("text/html, */*;q=0.1", 200)]
    [InlineData("APPLICATION/JSON", 200)]
    [InlineData("nonsense", 200)]
    [InlineData("", 200)]
    [InlineData("text/html", 406)]
    [InlineData("application/problem+json", 406)]
    [InlineData("application/json;q=0", 406)]
    [InlineData("application/json;q=0, */*", 406)]
    [InlineData("*/*;q=0", 406)]
    public async Task A_reader_that_takes_no_JSON_gets_406_but_errors_all_the_same(string accept, int status)
    {
        var path = await service.CreateAsync(Some.TaskJson);
        foreach (var method in new[] { "GET", "HEAD" })
        {
            using var response = await service.SendAsync(method, path, null, ("Accept", accept));
            Assert.Equal(status, (int)response.StatusCode);
        }
        using var missing = await service.SendAsync("GET", "/tasks/none", null, ("Accept", accept));
        await ErrorBody.AssertAsync(missing, 404, "Task 'none' does not exist", "GET", "/tasks/none");
        using var put = await service.SendAsync("PUT", path, RunningService.Json(Some.TaskJson), ("Accept", accept));
        Assert.Equal(204, (int)put.StatusCode);
    }

    [Theory]
    [InlineData("identity;q=0")]
    [InlineData("*;q=0")]
    [InlineData("deflate, *;q=0")]
    public async Task A_reader_that_takes_no_coding_of_ours_gets_406(string accept)
    {
        using var response = await service.SendAsync("GET", "/tasks", null, ("Accept-Encoding", accept));
        await ErrorBody.AssertAsync(response, 406, "Not Acceptable", "GET", "/tasks");
    }

    [Theory]
    [InlineData("application/json", "application/json", 201)]
    [InlineData("application/json", "application/json; charset=utf-8", 201)]
    [InlineData("application/json", "text/plain", 415)]
    [InlineData("application/json", "nonsense", 415)]
    public async Task A_type_that_is_said_twice_must_be_right_both_times(string first, string second, int status)
    {
        var answer = await RawClient.SendAsync(service.Port, Encoding.ASCII.GetBytes(
            $"POST /tasks HTTP/1.1\r\nHost: a\r\nContent-Type: {first}\r\nContent-Type: {second}\r\n"
            + $"Content-Length: {Some.TaskJson.Length}\r\n\r\n{Some.TaskJson}"));
        Assert.Equal(status, answer.Status);
    }

    [Theory]
    [InlineData("application/json", 201)]
    [InlineData("application/json; charset=UTF-8", 201)]
    [InlineData("application/json; charset=\"utf-8\"", 201)]
    [InlineData("application/json; charset=utf8", 201)]
    [InlineData("application/json; Charset=\"UTF8\"", 201)]
    [InlineData("application/json; charset=us-ascii", 201)]
    [InlineData("application/json; charset=utf-8, application/json", 201)]
    [InlineData("application/x-www-form-urlencoded; charset=utf8", 201)]
    [InlineData("Application/JSON;x=y", 201)]
    [InlineData("application/x-www-form-urlencoded", 201)]
    [InlineData(null, 201)]
    [InlineData("", 201)]
    [InlineData("application/json; charset=utf-16", 415)]
    [InlineData("application/json; charset=bogus", 415)]
    [InlineData("application/json; charset=iso-8859-1", 415)]
    [InlineData("application/merge-patch+json", 415)]
    [InlineData("text/plain", 415)]
    [InlineData("multipart/form-data; boundary=x", 415)]
    [InlineData("nonsense", 415)]
    [InlineData("application/json, text/plain", 415)]
    public async Task A_body_of_another_type_is_415(string? type, int status)
    {
        using var response = await PostAsync(Encoding.UTF8.GetBytes(Some.TaskJson), type, coding: null);
        Assert.Equal(status, (int)response.StatusCode);
        if (status == 415)
        {
            await ErrorBody.AssertAsync(response, 415, "Unsupported Media Type", "POST", "/tasks");
        }
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    public async Task A_form_that_a_page_in_a_browser_sends_is_415(string header, string value)
    {
        var body = Encoding.UTF8.GetBytes(Some.TaskJson);
        using var response = await PostAsync(body, "application/x-www-form-urlencoded", null, (header, value));
        Assert.Equal(415, (int)response.StatusCode);
        using var json = await PostAsync(body, "application/json", null, (header, value));
        Assert.Equal(201, (int)json.StatusCode);
    }

    [Theory]
    [InlineData("gzip", true, 201)]
    [InlineData("x-gzip", true, 201)]
    [InlineData("GZIP", true, 201)]
    [InlineData("identity", false, 201)]
    [InlineData("", false, 201)]
    [InlineData("gzip", false, 400)]
    [InlineData("br", false, 415)]
    [InlineData("gzip, gzip", true, 415)]
    public async Task A_gzipped_body_is_decoded_and_another_coding_is_415(string coding, bool zipped, int status)
    {
        var body = Encoding.UTF8.GetBytes(Some.TaskJson);
        using var response = await PostAsync(zipped ? Gzip(body) : body, "application/json", coding);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task A_gzip_body_that_is_cut_wrong_or_followed_by_something_is_400()
    {
        var whole = Gzip(Encoding.UTF8.GetBytes(Some.TaskJson));
        var wrong = new List<byte[]> { Array.Empty<byte>() };
        wrong.AddRange(Enumerable.Range(1, whole.Length - 1).Select(length => whole[..length]));
        wrong.Add([.. whole, 0]);
        wrong.Add([.. whole, .. whole]);
        wrong.Add([.. whole[..^8], .. new byte[4], .. whole[^4..]]);
        foreach (var body in wrong)
        {
            using var response = await PostAsync(body, "application/json", "gzip");
            await ErrorBody.AssertAsync(response, 400, "Invalid JSON body", "POST", "/tasks");
        }
    }

    [Fact]
    public async Task A_body_that_becomes_too_large_when_decoded_is_413()
    {
        // A thousand times its size: a mebibyte would become a gibibyte.
        var bomb = Gzip(new byte[200 * 1024 * 1024]);
        Assert.InRange(bomb.Length, 1, 1024 * 1024);
        using var response = await PostAsync(bomb, "application/json", "gzip");
        await ErrorBody.AssertAsync(response, 413, "Content Too Large", "POST", "/tasks");
        var largest = "{\"title\":\"t\"" + new string(' ', (1024 * 1024) - 13) + "}";
        using var fits = await PostAsync(Gzip(Encoding.UTF8.GetBytes(largest)), "application/json", "gzip");
        Assert.Equal(201, (int)fits.StatusCode);
        using var tooLarge = await PostAsync(Gzip(Encoding.UTF8.GetBytes(largest + " ")), "application/json", "gzip");
        Assert.Equal(413, (int)tooLarge.StatusCode);
    }

    private static byte[] Gzip(byte[] plain)
    {
        using var coded = new MemoryStream();
        using (var gzip = new GZipStream(coded, CompressionLevel.Optimal))
        {
            gzip.Write(plain);
        }
        return coded.ToArray();
    }

    private static async Task<string> DecodeAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(string.Join(',', response.Content.Headers.ContentEncoding) switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            _ => body,
        });
        return await reader.ReadToEndAsync();
    }

    private async Task<string> AssertCodedAsync(string path, string accept, string coding)
    {
        using var plain = await service.SendAsync("GET", path);
        using var response = await service.SendAsync("GET", path, null, ("Accept-Encoding", accept));
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal(coding, string.Join(',', response.Content.Headers.ContentEncoding));
        Assert.Equal("Accept-Encoding", string.Join(',', response.Headers.Vary));
        var suffix = coding.Length == 0 ? "\"" : $"-{coding}\"";
        Assert.Equal(plain.Headers.ETag!.Tag[..^1] + suffix, response.Headers.ETag!.Tag);
        using var head = await service.SendAsync("HEAD", path, null, ("Accept-Encoding", accept));
        Assert.Equal(response.Content.Headers.ContentLength, head.Content.Headers.ContentLength);
        Assert.Equal(response.Headers.ETag, head.Headers.ETag);
        var text = await DecodeAsync(response);
        Assert.Equal(await plain.Content.ReadAsStringAsync(), text);
        return text;
    }

    private Task<HttpResponseMessage> PostAsync(
        byte[] body, string? type, string? coding, params (string Name, string Value)[] headers)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = null;
        if (type is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        }
        if (coding is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Encoding", coding);
        }
        return service.SendAsync("POST", "/tasks", content, headers);
    }
}
