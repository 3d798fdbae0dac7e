using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>The endpoint <c>sql_profiler</c>, as far as no engine is needed.</summary>
public sealed class SqlProfilerTests
{
    [Theory]
    [InlineData("GET", "?enable=")]
    [InlineData("GET", "?enable=true")]
    [InlineData("PUT", "?enable=2")]
    [InlineData("PUT", "?enable=on")]
    [InlineData("PUT", "?enable=1&enable=1")]
    [InlineData("PUT", "?enabled=1")]
    public async Task Any_other_value_is_refused(string method, string query)
    {
        await using var service = await OperatedService.StartAsync();
        using var answer = await service.SendAsync(method, $"sql_profiler{query}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("enable must be 1 or 0", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("PUT", "?enable=1")]
    public async Task An_engine_without_sql_says_so(string method, string query)
    {
        await using var service = await OperatedService.StartAsync();
        using var answer = await service.SendAsync(method, $"sql_profiler{query}");
        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Contains("sqlite and postgres have", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "sql-profiler-secret", HttpStatusCode.Unauthorized)]
    [InlineData("another secret of 16", "sql-profiler-secret", HttpStatusCode.Forbidden)]
    [InlineData("a secret of 16 characters", "sql-profiler-secret", HttpStatusCode.Conflict)]
    [InlineData("a secret of 16 characters", "stats-secret", HttpStatusCode.NotFound)]
    public async Task It_has_a_secret_of_its_own(string sent, string setting, HttpStatusCode status)
    {
        await using var service = await RunningService.StartAsync(
            operations: $"{setting}: a secret of 16 characters");
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Put, new Uri($"http://127.0.0.1:{service.Port}/ops/sql_profiler?enable=1"));
        if (sent.Length > 0)
        {
            request.Headers.Add("X-API-Key", sent);
        }
        using var answer = await client.SendAsync(request);
        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task Another_method_is_refused()
    {
        await using var service = await OperatedService.StartAsync();
        using var answer = await service.SendAsync("POST", "sql_profiler?enable=1");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
    }
}
