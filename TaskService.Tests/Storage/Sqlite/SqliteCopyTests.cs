using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Storage.Sql;
using TaskService.Tests.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>The command <c>copy</c>, from and to SQLite.</summary>
[Trait("Suite", "long")]
public sealed class SqliteCopyTests : StoreCopies
{
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

    [Theory]
    [InlineData(78, "--to: task-db.sqlite: has no value", "copy", "--from", "fs:x", "--to", "sqlite")]
    [InlineData(
        1,
        "taskservice: task-db.sqlite: typo.db cannot be opened: there is no such file",
        "copy", "--from", "sqlite:typo.db", "--to", "fs:y")]
    public async Task What_is_wrong_is_said_in_one_line_and_nothing_is_created(
        int code, string line, params string[] args)
    {
        Assert.Contains(line, await FailAsync(code, args), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Files.Path));
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
    public async Task A_source_that_is_missing_or_wrong_fails_and_neither_side_is_touched(string from, string problem)
    {
        Directory.CreateDirectory(Files.File("folder"));
        await File.WriteAllTextAsync(Files.File("empty.db"), "");
        await File.WriteAllTextAsync(Files.File("text.db"), new string('x', 5_000));
        MakeDatabase("other.db", "CREATE TABLE tasks (x)");
        MakeDatabase("tutorial.db", "CREATE TABLE task_entries"
            + " (id, title, description, priority, dueDate, completed)");
        using (var old = new SqliteDatabase(Files.File("old.db")))
        {
            await new Migrations([Migrations.Embedded("sqlite").Known[0]]).ApplyAsync(
                old.Connection,
                "BEGIN IMMEDIATE",
                SqliteMigrationsTests.HasTable,
                null,
                NullLogger.Instance,
                CancellationToken.None);
        }
        await AssertRefusedAsync(from, problem, "fs:new/to");
        await AssertRefusedAsync(from, problem, "sqlite:new/to.db");
    }

    [Theory]
    [InlineData("tasks.db")]
    [InlineData("./store/../tasks.db")]
    [InlineData("link.db")]
    [InlineData("above/tasks.db")]
    [InlineData("hard.db")]
    public async Task A_source_is_no_target_by_whatever_name(string target)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || target != "hard.db", "the number of a file is asked on Linux");
        Directory.CreateDirectory(Files.File("store"));
        await (await StartAsync("sqlite", "tasks.db")).DisposeAsync();
        File.CreateSymbolicLink(Files.File("link.db"), Files.File("tasks.db"));
        Directory.CreateSymbolicLink(Files.File("above"), Files.Path);
        if (target == "hard.db")
        {
            using var link = Process.Start("ln", [Files.File("tasks.db"), Files.File(target)]);
            await link.WaitForExitAsync();
        }
        await AssertSamePlaceAsync("sqlite:tasks.db", $"sqlite:{target}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_source_is_only_read(bool isKilled)
    {
        await File.WriteAllTextAsync(
            Files.File("c.yaml"), "logging: { handlers: { console: { type: console } } }\n");
        using (var process = ServiceProcess.Start(
            Files.Path, [("TASKSERVICE__TASK_DB__SQLITE", "a%20?b#.db")], "-p", "0", "-c", "c.yaml"))
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
        var before = Contents();
        Assert.Equal(0, await RunAsync("sqlite:a%20?b#.db", "sqlite:to.db"));
        using (var copy = new SqliteDatabase(Files.File("to.db")))
        {
            Assert.Equal("Task1", copy.Scalar("SELECT title FROM tasks"));
        }
        File.Delete(Files.File("to.db"));
        Assert.Equal(before, Contents());
    }

    private void MakeDatabase(string name, string sql)
    {
        using var database = new SqliteDatabase(Files.File(name));
        database.Run("PRAGMA journal_mode = WAL");
        database.Run(sql);
    }
}
