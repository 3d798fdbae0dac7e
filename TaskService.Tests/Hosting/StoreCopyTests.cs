using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Hosting;
using TaskService.Storage.Sql;
using TaskService.Tests.Storage.Sql;
using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>The command <c>copy</c>, as an operator gives it.</summary>
[Trait("Suite", "long")]
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
        "--from: task-db.disk: unknown key (allowed: memory, fs, ",
        "copy", "--from", "disk:x", "--to", "fs:y")]
    [InlineData(78, "--to: memory ends with this process", "copy", "--from", "fs:x", "--to", "memory")]
    [InlineData(78, "--to: task-db.sqlite: has no value", "copy", "--from", "fs:x", "--to", "sqlite")]
    [InlineData(
        1,
        "taskservice: task-db.sqlite: typo.db cannot be opened: there is no such file",
        "copy", "--from", "sqlite:typo.db", "--to", "fs:y")]
    public async Task What_is_wrong_is_said_in_one_line_and_nothing_is_created(
        int code, string line, params string[] args)
    {
        Assert.Contains(line, await FailAsync(code, args), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
    }

    [Theory]
    [InlineData("sqlite:typo.db", "there is no such file")]
    [InlineData("sqlite:missing/typo.db", "there is no such file")]
    [InlineData("sqlite:folder", "there is no such file")]
    [InlineData("sqlite:empty.db", "it is not a database of this service")]
    [InlineData("sqlite:text.db", "file is not a database")]
    [InlineData("sqlite:other.db", "it is not a database of this service")]
    [InlineData("sqlite:tutorial.db", "it has data of before this service")]
    [InlineData("sqlite:old.db", "the migration 002_idempotency_keys.sql is missing: the schema is at 001_tasks.sql")]
    [InlineData("fs:typo", "there is no such directory")]
    [InlineData("fs:text.db", "it is a file")]
    [InlineData("fs:folder", "it holds neither files of a service nor its .lock")]
    public async Task A_source_that_is_missing_or_wrong_fails_and_neither_side_is_touched(string from, string problem)
    {
        Directory.CreateDirectory(directory.File("folder"));
        await File.WriteAllTextAsync(directory.File("folder/package.json"), "{}");
        await File.WriteAllTextAsync(directory.File("empty.db"), "");
        await File.WriteAllTextAsync(directory.File("text.db"), new string('x', 5_000));
        MakeDatabase("other.db", "CREATE TABLE tasks (x)");
        MakeDatabase("tutorial.db", "CREATE TABLE task_entries"
            + " (id, title, description, priority, dueDate, completed)");
        using (var old = new SqliteDatabase(directory.File("old.db")))
        {
            await new Migrations([Migrations.Embedded("sqlite").Known[0]]).ApplyAsync(
                old.Connection,
                "BEGIN IMMEDIATE",
                MigrationsTests.HasTable,
                null,
                NullLogger.Instance,
                CancellationToken.None);
        }
        var before = Contents();
        foreach (var to in new[] { "fs:new/to", "sqlite:new/to.db" })
        {
            Assert.Contains(problem, await RefusedAsync(from, to), StringComparison.Ordinal);
        }
        Assert.Equal(before, Contents());
    }

    [Theory]
    [InlineData("fs", "store")]
    [InlineData("fs", "store/")]
    [InlineData("fs", "link/../store/.")]
    [InlineData("fs", "link")]
    [InlineData("fs", "above/store")]
    [InlineData("sqlite", "tasks.db")]
    [InlineData("sqlite", "./store/../tasks.db")]
    [InlineData("sqlite", "link.db")]
    [InlineData("sqlite", "above/tasks.db")]
    [InlineData("sqlite", "hard.db")]
    public async Task A_source_is_no_target_by_whatever_name(string engine, string target)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || target != "hard.db", "the number of a file is asked on Linux");
        var source = engine == "fs" ? "store" : "tasks.db";
        await (await StartAsync("fs", "store")).DisposeAsync();
        await (await StartAsync("sqlite", "tasks.db")).DisposeAsync();
        Directory.CreateSymbolicLink(directory.File("link"), directory.File("store"));
        File.CreateSymbolicLink(directory.File("link.db"), directory.File("tasks.db"));
        Directory.CreateSymbolicLink(directory.File("above"), directory.Path);
        if (target == "hard.db")
        {
            using var link = Process.Start("ln", [directory.File("tasks.db"), directory.File(target)]);
            await link.WaitForExitAsync();
        }
        var before = Contents();
        // Of an empty one, "copied 0 tasks" would be wrong as well.
        Assert.EndsWith(
            "is the place that --from names; nothing was copied",
            await RefusedAsync($"{engine}:{source}", $"{engine}:{target}"),
            StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_source_is_only_read(bool isKilled)
    {
        using (var process = ServiceProcess.Start(
            directory.Path, [("TASKSERVICE__TASK_DB__SQLITE", "a%20?b#.db")], "-p", "0", "-c", Config()))
        {
            using var client = await process.ClientAsync();
            using var made = await client.PostAsync(
                new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
            Assert.Equal(System.Net.HttpStatusCode.Created, made.StatusCode);
            if (isKilled)
            {
                // Its log stays, and holds the task.
                process.Kill();
            }
            else
            {
                process.Signal("TERM");
            }
            await process.ExitAsync();
        }
        await (await StartAsync("fs", "store")).DisposeAsync();
        await File.WriteAllTextAsync(directory.File("store/a.json"), Some.TaskJson);
        await File.WriteAllTextAsync(directory.File("store/.b.json.1.tmp"), "what a kill leaves");
        Directory.CreateDirectory(directory.File("tutorial"));
        await File.WriteAllTextAsync(directory.File("tutorial/a.json"), Some.TaskJson);
        var before = Contents();
        foreach (var from in new[] { "sqlite:a%20?b#.db", "fs:store", "fs:tutorial" })
        {
            Assert.Equal(0, await RunAsync(from, "sqlite:to.db"));
            using var copy = new SqliteDatabase(directory.File("to.db"));
            Assert.Equal("Task1", copy.Scalar("SELECT title FROM tasks"));
            copy.Dispose();
            File.Delete(directory.File("to.db"));
        }
        Assert.Equal(before, Contents());
    }

    [Fact]
    public async Task A_source_that_a_service_uses_is_refused_on_fs()
    {
        await using var service = await StartAsync("fs", "store");
        Assert.Contains("another process uses it", await RefusedAsync("fs:store", "fs:to"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(directory.File("to")));
    }

    private Task<RunningService> StartAsync(string engine, string place) =>
        RunningService.StartAsync($"{engine}: '{directory.File(place)}'");

    private async Task<string> CopyAsync(string from, string to)
    {
        using var process = ServiceProcess.Start(directory.Path, "copy", "--from", from, "--to", to);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        return Assert.Single(process.Output);
    }

    /// <summary>All files but links, and the index of a log of SQLite, which readers write.</summary>
    private Dictionary<string, string> Contents() => Directory
        .GetFileSystemEntries(directory.Path, "*", new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.ReparsePoint,
        })
        .Where(path => !path.EndsWith("-shm", StringComparison.Ordinal))
        .ToDictionary(path => path, path => File.Exists(path) ? Convert.ToHexString(File.ReadAllBytes(path)) : "");

    private string Config()
    {
        File.WriteAllText(directory.File("c.yaml"), "logging: { handlers: { console: { type: console } } }\n");
        return "c.yaml";
    }

    private void MakeDatabase(string name, string sql)
    {
        using var database = new SqliteDatabase(directory.File(name));
        database.Run("PRAGMA journal_mode = WAL");
        database.Run(sql);
    }

    // In this process: the paths are made absolute.
    private Task<int> RunAsync(string from, string to) =>
        StoreCopy.RunAsync(Absolute(from), Absolute(to), TextWriter.Null, progress: null);

    private string Absolute(string place) =>
        place.Split(':', 2) is var parts ? $"{parts[0]}:{directory.Path}/{parts[1]}" : "";

    private async Task<string> RefusedAsync(string from, string to) =>
        (await Assert.ThrowsAsync<StorageException>(() => RunAsync(from, to))).Message;

    private async Task<string> FailAsync(int code, params string[] args)
    {
        using var process = ServiceProcess.Start(directory.Path, args);
        Assert.Equal(code, await process.ExitAsync());
        return string.Join('\n', process.Errors);
    }
}
