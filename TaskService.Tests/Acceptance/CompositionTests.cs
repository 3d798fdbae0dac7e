using TaskService.Acceptance;
using TaskService.Tests.Support;

namespace TaskService.Tests.Acceptance;

/// <summary>Programs that tests start together, and that never outlive them.</summary>
[Trait("Suite", "integration")]
public sealed class CompositionTests
{
    private const string Quiet = """
        task-db: { memory: }
        logging: { handlers: { console: { type: console, level: info } } }
        """;

    [Fact]
    public async Task A_service_on_a_database_keeps_its_tasks_when_it_is_started_again()
    {
        using var composition = new Composition();
        var database = await composition.StartPostgresAsync();
        var service = await composition.StartServiceAsync("service", $$"""
            task-db: { postgres: { primary: "{{database.Connection(database.CreateDatabase())}}" } }
            logging: { handlers: { console: { type: console, level: info } } }
            """);
        using var api = new ApiConnection(service.Url);
        var created = await api.PostAsync("/tasks", """{"title":"kept"}""");
        Assert.Equal(0, await service.StopAsync());
        await Assert.ThrowsAsync<AcceptanceException>(() => api.GetAsync("/tasks"));
        await service.StartAsync();
        (await api.GetAsync(created.Header("Location")!))
            .RequireJson("""{"priority":"none","title":"kept","completed":false}""");
        Assert.Equal(2, service.Log.Split("message=\"STARTING\"").Length - 1);
    }

    [Fact]
    public async Task Nothing_of_a_program_outlives_it_and_its_log_is_in_the_output()
    {
        int first;
        using (var composition = new Composition())
        {
            // It does not end by itself, and neither do those that it starts.
            const string script = "trap '' TERM; sleep 1000 & \"$SERVICE\" --config {0} --port {1} & wait; wait";
            var config = composition.AddFile("quiet.yaml", Quiet);
            var program = await composition.StartAsync("script", "/tasks", port =>
                ["/bin/sh", "-c", string.Format(null, script, config, port)]);
            first = program.Id;
            Assert.True(Lives(first));
        }
        // The system takes a moment to end what is killed.
        await Until.TrueAsync(() => !Lives(first), "the end of all of its processes");
        Assert.Contains("--- script", TestContext.Current.TestOutputHelper!.Output, StringComparison.Ordinal);
        Assert.Contains("message=\"STARTING\"", TestContext.Current.TestOutputHelper.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_ends_before_it_is_ready_fails_with_its_log()
    {
        using var composition = new Composition();
        var error = await Assert.ThrowsAnyAsync<Exception>(() => composition.StartServiceAsync("wrong", "task-bd:"));
        Assert.Contains("wrong has ended:", error.Message, StringComparison.Ordinal);
        Assert.Contains("task-bd: unknown key", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Whether a process of a group runs; one that has ended may still wait for its parent.</summary>
    private static bool Lives(int group) => Directory.GetDirectories("/proc")
        .Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0])).Any(process =>
    {
        try
        {
            // pid (name) state parent group …
            var stat = File.ReadAllText($"{process}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] != "Z" && fields[2] == $"{group}";
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return false;
        }
    });
}
