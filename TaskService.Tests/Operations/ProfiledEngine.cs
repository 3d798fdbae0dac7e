using System.Net;
using TaskService.Tests.Storage;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>The endpoint <c>sql_profiler</c> on an engine that has statements.</summary>
internal static class ProfiledEngine
{
    /// <summary>Switches it on and off, and reads and writes tasks meanwhile.</summary>
    /// <param name="engine">Its name in the configuration.</param>
    /// <returns>The plans: of a task, of the list, and of a task again.</returns>
    public static async Task<List<string>> AssertExplainsOnceAsync(string engine)
    {
        using var files = new LogFiles();
        using var storage = new TestEngine(engine);
        await using var service = await OperatedService.StartAsync(files.Yaml, taskDb: storage.Configuration);
        var path = await CreateAsync(service);
        await ReadAsync(service, path);
        Assert.Equal((false, 0), await SwitchAsync(service, "GET", ""));
        Assert.Equal((true, 0), await SwitchAsync(service, "PUT", "?enable=1"));
        Assert.Equal((true, 0), await SwitchAsync(service, "GET", "?enable=1"));
        await ReadAsync(service, path);
        await ReadAsync(service, path);
        Assert.Equal((true, 1), await SwitchAsync(service, "GET", ""));
        await ReadAsync(service, "/tasks");
        await CreateAsync(service);
        Assert.Equal((true, 2), await SwitchAsync(service, "GET", ""));
        using var refused = await service.SendAsync("PUT", "sql_profiler?enable=off");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal((true, 2), await SwitchAsync(service, "GET", ""));
        await ProfilerLog.LinesAsync(files, "SQL PLAN", 2);
        Assert.Equal((false, 0), await SwitchAsync(service, "PUT", "?enable=0"));
        await ReadAsync(service, path);
        Assert.Equal((true, 0), await SwitchAsync(service, "GET", "?enable=1"));
        await ReadAsync(service, path);
        var plans = await ProfilerLog.LinesAsync(files, "SQL PLAN", 3);
        Assert.Equal(3, plans.Count);
        Assert.All(plans, plan => Assert.Equal("INFO", plan["level"]));
        Assert.EndsWith("FROM tasks WHERE id = @id", plans[0]["statement"], StringComparison.Ordinal);
        Assert.Contains("ORDER BY id", plans[1]["statement"], StringComparison.Ordinal);
        Assert.Equal(plans[0]["statement"], plans[2]["statement"]);
        Assert.Empty(await ProfilerLog.LinesAsync(files, "SQL PLAN FAILED", 0));
        Assert.Equal(3, (await ProfilerLog.LinesAsync(files, "SQL PROFILER ON", 3)).Count);
        Assert.Single(await ProfilerLog.LinesAsync(files, "SQL PROFILER OFF", 1));
        return plans.ConvertAll(plan => plan["plan"]!);
    }

    private static async Task<string> CreateAsync(OperatedService service)
    {
        using var answer = await service.Users.PostAsync(
            new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return answer.Headers.Location!.OriginalString;
    }

    private static async Task ReadAsync(OperatedService service, string path)
    {
        using var answer = await service.Users.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private static async Task<(bool Enabled, int Statements)> SwitchAsync(
        OperatedService service, string method, string query)
    {
        var state = await service.JsonAsync(method, $"sql_profiler{query}");
        var enabled = state.GetProperty("enabled").GetBoolean();
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
