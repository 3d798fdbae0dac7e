using System.Net;
using System.Text.Json;
using TaskService.Tests.Storage;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>The endpoint <c>sql_profiler</c>.</summary>
public sealed class SqlProfilerTests : IDisposable
{
    private const string Secret = "a secret of 16 characters";

    private readonly LogFiles files = new();

    // Operations endpoints are not in the document that the client of the service checks.
    private readonly HttpClient client = new();

    public void Dispose()
    {
        client.Dispose();
        files.Dispose();
    }

    [Theory]
    [InlineData("sqlite", "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)", "SEARCH tasks USING INDEX")]
    [InlineData("postgres", "Execution Time: ", "actual time=")]
    public async Task While_it_is_enabled_each_select_is_explained_once_to_its_logger(
        string engine, string ofFind, string ofList)
    {
        using var storage = new TestEngine(engine);
        await using var service = await StartAsync(storage.Configuration);
        var path = await service.CreateAsync(Some.TaskJson);
        await ReadAsync(service, path);
        Assert.Equal((false, 0), await SwitchAsync(service, "GET", ""));
        Assert.Equal((true, 0), await SwitchAsync(service, "PUT", "?enable=1"));
        Assert.Equal((true, 0), await SwitchAsync(service, "GET", "?enable=1"));
        await ReadAsync(service, path);
        await ReadAsync(service, path);
        Assert.Equal((true, 1), await SwitchAsync(service, "GET", ""));
        await ReadAsync(service, "/tasks");
        await service.CreateAsync(Some.TaskJson);
        Assert.Equal((true, 2), await SwitchAsync(service, "GET", ""));
        var plans = await ProfilerLog.LinesAsync(files, "SQL PLAN", 2);
        Assert.Equal((false, 0), await SwitchAsync(service, "PUT", "?enable=0"));
        await ReadAsync(service, path);
        Assert.Equal((true, 0), await SwitchAsync(service, "GET", "?enable=1"));
        await ReadAsync(service, path);
        plans = await ProfilerLog.LinesAsync(files, "SQL PLAN", 3);
        Assert.All(plans, plan => Assert.Equal("INFO", plan["level"]));
        Assert.EndsWith("FROM tasks WHERE id = @id", plans[0]["statement"], StringComparison.Ordinal);
        Assert.Contains(ofFind, plans[0]["plan"], StringComparison.Ordinal);
        Assert.Contains("ORDER BY id", plans[1]["statement"], StringComparison.Ordinal);
        Assert.Contains(ofList, plans[1]["plan"], StringComparison.Ordinal);
        Assert.Equal(plans[0]["statement"], plans[2]["statement"]);
        Assert.Equal(3, plans.Count);
        Assert.Equal(engine == "postgres", plans[0]["plan"]!.Contains("Buffers: ", StringComparison.Ordinal));
        Assert.Empty(await ProfilerLog.LinesAsync(files, "SQL PLAN FAILED", 0));
        // One on each switch, but for the second of two.
        Assert.Equal(3, (await ProfilerLog.LinesAsync(files, "SQL PROFILER ON", 3)).Count);
        Assert.Single(await ProfilerLog.LinesAsync(files, "SQL PROFILER OFF", 1));
    }

    [Theory]
    [InlineData("GET", "?enable=")]
    [InlineData("GET", "?enable=true")]
    [InlineData("PUT", "?enable=2")]
    [InlineData("PUT", "?enable=on")]
    [InlineData("PUT", "?enable=1&enable=1")]
    [InlineData("PUT", "?enabled=1")]
    public async Task Any_other_value_is_refused_and_changes_nothing(string method, string query)
    {
        using var storage = new TestEngine("sqlite");
        await using var service = await StartAsync(storage.Configuration);
        await SwitchAsync(service, "PUT", "?enable=1");
        using var answer = await SendAsync(service, method, query);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("enable must be 1 or 0", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal((true, 0), await SwitchAsync(service, "GET", ""));
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("PUT", "?enable=1")]
    public async Task An_engine_without_sql_says_so(string method, string query)
    {
        await using var service = await StartAsync("memory:");
        using var answer = await SendAsync(service, method, query);
        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Contains("sqlite and postgres have", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_needs_a_secret_of_its_own()
    {
        using var storage = new TestEngine("sqlite");
        await using (var service = await StartAsync(storage.Configuration, "sql-profiler-secret"))
        {
            Assert.Equal((true, 0), await SwitchAsync(service, "PUT", "?enable=1"));
            using var none = await SendAsync(service, "PUT", "?enable=0", secret: "");
            using var wrong = await SendAsync(service, "PUT", "?enable=0", "another secret of 16");
            Assert.Equal(
                (HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden), (none.StatusCode, wrong.StatusCode));
            Assert.Equal((true, 0), await SwitchAsync(service, "GET", ""));
        }
        await using var other = await StartAsync(storage.Configuration, "stats-secret");
        using var unknown = await SendAsync(other, "GET", "");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    private Task<RunningService> StartAsync(string engine, string secret = "secret") =>
        RunningService.StartAsync(engine, $"operations: {{ {secret}: {Secret} }}\n{files.Yaml}");

    private static async Task ReadAsync(RunningService service, string path)
    {
        using var answer = await service.SendAsync("GET", path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private Task<HttpResponseMessage> SendAsync(
        RunningService service, string method, string query, string secret = Secret)
    {
        var request = new HttpRequestMessage(
            new HttpMethod(method), new Uri(service.Client.BaseAddress!, $"/ops/sql_profiler{query}"));
        if (secret.Length > 0)
        {
            request.Headers.Add("X-API-Key", secret);
        }
        return client.SendAsync(request);
    }

    private async Task<(bool Enabled, int Statements)> SwitchAsync(
        RunningService service, string method, string query)
    {
        using var answer = await SendAsync(service, method, query);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        var (state, enabled) = (body.RootElement, body.RootElement.GetProperty("enabled").GetBoolean());
        Assert.Equal(200, state.GetProperty("status").GetInt32());
        Assert.True(state.GetProperty("logged").GetBoolean());
        Assert.Equal(1_000, state.GetProperty("statements_max").GetInt32());
        Assert.Equal(0, state.GetProperty("not_explained").GetInt32());
        if (enabled)
        {
            Assert.InRange(
                state.GetProperty("until").GetDateTime(), DateTime.UtcNow, DateTime.UtcNow.AddMinutes(15));
        }
        return (enabled, state.GetProperty("statements").GetInt32());
    }
}
