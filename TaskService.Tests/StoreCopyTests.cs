using TaskService.Tests.Support;

namespace TaskService.Tests;

/// <summary>The command <c>copy</c>, as an operator gives it.</summary>
[Trait("Suite", "integration")]
public sealed class StoreCopyTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task All_tasks_are_there_under_their_ids_and_as_they_were_there_and_back_again()
    {
        var bodies = new Dictionary<string, string>();
        await using (var service = await StartAsync("fs", "store"))
        {
            for (var i = 0; i < 200; i++)
            {
                var path = await service.CreateAsync(
                    $$"""{"title":"task {{i}}","due_date":{{i}}.000001,"priority":"high"}""");
                bodies.Add(path, await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
            }
        }
        foreach (var (from, to) in new[] { ("fs:store", "sqlite:tasks.db"), ("sqlite:tasks.db", "fs:again") })
        {
            Assert.Equal($"copied 200 tasks from {from} to {to}", await CopyAsync(from, to));
        }
        foreach (var (engine, place) in new[] { ("sqlite", "tasks.db"), ("fs", "again") })
        {
            await using var service = await StartAsync(engine, place);
            foreach (var (path, body) in bodies)
            {
                Assert.Equal(body, await service.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
            }
            using var all = System.Text.Json.JsonDocument.Parse(
                await service.Client.GetStringAsync(new Uri("/tasks", UriKind.Relative)));
            Assert.Equal(bodies.Count, all.RootElement.EnumerateObject().Count());
        }
    }

    [Fact]
    public async Task PostgreSQL_is_copied_to_and_from_and_its_password_never_said()
    {
        using var server = await PostgresServer.StartAsync();
        var place = $"{{ primary: \"{server.Connection(server.CreateDatabase(), "Password=secret")}\" }}";
        string path, body;
        await using (var service = await StartAsync("fs", "store"))
        {
            path = await service.CreateAsync("""{"title":"first","due_date":0.000001}""");
            body = await service.Client.GetStringAsync(new Uri(path, UriKind.Relative));
            await service.CreateAsync(Some.TaskJson);
        }
        Assert.Equal("copied 2 tasks from fs:store to postgres", await CopyAsync("fs:store", $"postgres:{place}"));
        Assert.Equal(
            "copied 2 tasks from postgres to sqlite:back.db", await CopyAsync($"postgres:{place}", "sqlite:back.db"));
        Assert.Matches(
            "^taskservice: --to: postgres holds tasks already, such as [0-9a-f]{32}; nothing was copied$",
            await FailAsync(1, "copy", "--from", "fs:store", "--to", $"postgres:{place}"));
        await using var back = await StartAsync("sqlite", "back.db");
        Assert.Equal(body, await back.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
    }

    [Fact]
    public async Task A_target_that_holds_a_task_is_left_alone()
    {
        foreach (var place in new[] { "from", "to" })
        {
            await using var service = await StartAsync("fs", place);
            await service.CreateAsync(Some.TaskJson);
        }
        var before = Directory.GetFiles(directory.File("to"), "*.json").Select(File.ReadAllText);
        Assert.Matches(
            "^taskservice: --to: fs:to holds tasks already, such as [0-9a-f]{32}; nothing was copied$",
            await FailAsync(1, "copy", "--from", "fs:from", "--to", "fs:to"));
        Assert.Equal(before, Directory.GetFiles(directory.File("to"), "*.json").Select(File.ReadAllText));
    }

    [Fact]
    public async Task A_file_that_cannot_be_copied_is_named()
    {
        await using (var service = await StartAsync("fs", "from"))
        {
            await service.CreateAsync(Some.TaskJson);
        }
        await File.WriteAllTextAsync(directory.File("from/damaged.json"), "{");
        using var process = ServiceProcess.Start(directory.Path, "copy", "--from", "fs:from", "--to", "sqlite:to.db");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(process.Output, line => line.Contains("damaged.json", StringComparison.Ordinal));
        Assert.Equal("copied 1 tasks from fs:from to sqlite:to.db", process.Output.Last());
    }

    [Theory]
    [InlineData(2, "taskservice: Option '--to' is required (see --help)", "copy", "--from", "fs:x")]
    [InlineData(
        78,
        "--from: task-db.disk: unknown key (allowed: memory, fs, sqlite, postgres)",
        "copy", "--from", "disk:x", "--to", "fs:y")]
    [InlineData(78, "--to: memory ends with this process", "copy", "--from", "fs:x", "--to", "memory")]
    [InlineData(78, "--to: task-db.sqlite: has no value", "copy", "--from", "fs:x", "--to", "sqlite")]
    [InlineData(
        78,
        "--to:1: task-db.postgres.primry: unknown key (did you mean \"primary\"?)",
        "copy", "--from", "fs:x", "--to", "postgres:{ primry: x }")]
    [InlineData(
        1,
        "taskservice: task-db.postgres: 127.0.0.1:1 cannot be used: Connection refused",
        "copy", "--from", "fs:x", "--to", "postgres:{ primary: 'Host=127.0.0.1;Port=1;Username=u' }")]
    public async Task What_is_wrong_is_said_in_one_line(int code, string line, params string[] args) =>
        Assert.Contains(line, await FailAsync(code, args), StringComparison.Ordinal);

    private Task<RunningService> StartAsync(string engine, string place) =>
        RunningService.StartAsync($"{engine}: '{directory.File(place)}'");

    private async Task<string> CopyAsync(string from, string to)
    {
        using var process = ServiceProcess.Start(directory.Path, "copy", "--from", from, "--to", to);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        return Assert.Single(process.Output);
    }

    private async Task<string> FailAsync(int code, params string[] args)
    {
        using var process = ServiceProcess.Start(directory.Path, args);
        Assert.Equal(code, await process.ExitAsync());
        return string.Join('\n', process.Errors);
    }
}
