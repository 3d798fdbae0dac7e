using System.Text.Json;

namespace TaskService.Tests.Support;

/// <summary>Checks that an answer is a problem in full: what RFC 9457 asks for and what the tutorial had.</summary>
internal static class ErrorBody
{
    public static async Task<JsonElement> AssertAsync(
        HttpResponseMessage response, int status, string message, string method, string uri)
    {
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.ToString());
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(response.Content.Headers.ContentLength, System.Text.Encoding.UTF8.GetByteCount(text));
        var body = JsonDocument.Parse(text).RootElement;
        Assert.Equal("about:blank", body.GetProperty("type").GetString());
        Assert.Equal(response.ReasonPhrase, body.GetProperty("title").GetString());
        Assert.Equal(status, body.GetProperty("status").GetInt32());
        Assert.Equal(method, body.GetProperty("method").GetString());
        Assert.Equal(uri, body.GetProperty("uri").GetString());
        Assert.Equal(status, body.GetProperty("code").GetInt32());
        Assert.Equal(message, body.GetProperty("message").GetString());
        Assert.Equal(
            Assert.Single(response.Headers.GetValues("X-Request-ID")), body.GetProperty("request_id").GetString());
        return body;
    }
}
