using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

/// <summary>Scopes that code begins, in the lines that it logs.</summary>
public sealed class LogScopeTests
{
    private static readonly string[] Head = ["time", "logger", "level", "req_id", "trace_id", "message"];

    [Fact]
    public async Task A_line_has_the_values_of_its_scopes_after_its_own_and_no_others()
    {
        await using var app = await StartAsync(logger =>
        {
            using (logger.BeginScope(new Dictionary<string, object?>
            {
                ["Name"] = "of the scope",
                ["tenant"] = "outer",
                ["n"] = 1,
                ["message"] = "of the scope",
            }))
            using (logger.BeginScope(new Dictionary<string, object?> { ["tenant"] = "inner" }))
            {
                logger.LogWarning("Hello {Name}", "x");
            }
            logger.LogWarning("after");
        });
        await app.GetAsync("/scopes");
        var lines = await app.LinesAsync(4);
        Assert.Equal([.. Head, "Name", "tenant", "n"], lines[1].Keys);
        Assert.Equal(
            ("Hello x", "x", "inner", "1"),
            (lines[1]["message"], lines[1]["Name"], lines[1]["tenant"], lines[1]["n"]));
        Assert.Equal(Head, lines[2].Keys);
        Assert.DoesNotContain("tenant", lines[3].Keys);
    }

    [Fact]
    public async Task Texts_of_scopes_are_one_list_from_the_outermost_on()
    {
        await using var app = await StartAsync(logger =>
        {
            using (logger.BeginScope("step {Step} of {Steps}", 2, 3))
            using (logger.BeginScope("plain"))
            {
                logger.LogError(new InvalidDataException("broken"), "bad");
            }
        });
        await app.GetAsync("/scopes");
        var line = (await app.LinesAsync(3))[1];
        Assert.Equal([.. Head, "trace", "Step", "Steps", "Scope"], line.Keys);
        Assert.Equal(
            ("""["step 2 of 3","plain"]""", "2", "3"), (line["Scope"], line["Step"], line["Steps"]));
        Assert.Contains(
            """
            ,"Scope":["step 2 of 3","plain"]}
            """,
            (await app.Logs.LinesAsync("json", 3))[1] + "\n",
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scopes_that_cannot_be_read_cost_no_line()
    {
        await using var app = await StartAsync(logger =>
        {
            using (logger.BeginScope(Broken()))
            using (logger.BeginScope(new Dictionary<string, object?> { ["tenant"] = "a" }))
            {
                logger.LogWarning("after all");
            }
        });
        await app.GetAsync("/scopes");
        Assert.Equal([.. Head, "tenant", "first"], (await app.LinesAsync(3))[1].Keys);

        static IEnumerable<KeyValuePair<string, object?>> Broken()
        {
            yield return new("first", 1);
            throw new InvalidOperationException("thrown by a scope");
        }
    }

    private static Task<ObservedApp> StartAsync(Action<ILogger> log) => ObservedApp.StartAsync(
        addRoutes: routes => routes.MapGet("/scopes", http =>
        {
            log(ObservedApp.LoggerOf(http));
            return Task.CompletedTask;
        }));
}
