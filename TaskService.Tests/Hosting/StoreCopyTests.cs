using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>The command <c>copy</c>, as an operator gives it, from files to files.</summary>
[Trait("Suite", "long")]
public sealed class StoreCopyTests : StoreCopies
{
    [Fact]
    public async Task A_target_that_holds_a_task_is_left_alone()
    {
        foreach (var place in new[] { "from", "to" })
        {
            await using var service = await StartAsync("fs", place);
            await service.CreateAsync(Some.TaskJson);
        }
        var before = Directory.GetFiles(Files.File("to"), "*.json").Select(File.ReadAllText);
        Assert.Matches(
            "^taskservice: --to: fs:to holds tasks already, such as [0-9a-f]{32}; nothing was copied$",
            await FailAsync(1, "copy", "--from", "fs:from", "--to", "fs:to"));
        Assert.Equal(before, Directory.GetFiles(Files.File("to"), "*.json").Select(File.ReadAllText));
    }

    [Fact]
    public async Task A_file_that_cannot_be_copied_is_named()
    {
        await using (var service = await StartAsync("fs", "from"))
        {
            await service.CreateAsync(Some.TaskJson);
        }
        await File.WriteAllTextAsync(Files.File("from/damaged.json"), "{");
        using var process = ServiceProcess.Start(Files.Path, "copy", "--from", "fs:from", "--to", "fs:to");
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(process.Output, line => line.Contains("damaged.json", StringComparison.Ordinal));
        Assert.Equal("copied 1 tasks from fs:from to fs:to", process.Output.Last());
    }

    [Theory]
    [InlineData(2, "taskservice: Option '--to' is required (see --help)", "copy", "--from", "fs:x")]
    [InlineData(
        78,
        "--from: task-db.disk: unknown key (allowed: memory, fs, ",
        "copy", "--from", "disk:x", "--to", "fs:y")]
    [InlineData(78, "--to: memory ends with this process", "copy", "--from", "fs:x", "--to", "memory")]
    public async Task What_is_wrong_is_said_in_one_line_and_nothing_is_created(
        int code, string line, params string[] args)
    {
        Assert.Contains(line, await FailAsync(code, args), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Files.Path));
    }

    [Theory]
    [InlineData("fs:typo", "there is no such directory")]
    [InlineData("fs:file", "it is a file")]
    [InlineData("fs:folder", "it holds neither files of a service nor its .lock")]
    public async Task A_source_that_is_missing_or_wrong_fails_and_neither_side_is_touched(string from, string problem)
    {
        Directory.CreateDirectory(Files.File("folder"));
        await File.WriteAllTextAsync(Files.File("folder/package.json"), "{}");
        await File.WriteAllTextAsync(Files.File("file"), new string('x', 5_000));
        await AssertRefusedAsync(from, problem, "fs:new/to");
    }

    [Theory]
    [InlineData("store")]
    [InlineData("store/")]
    [InlineData("link/../store/.")]
    [InlineData("link")]
    [InlineData("above/store")]
    public async Task A_source_is_no_target_by_whatever_name(string target)
    {
        await (await StartAsync("fs", "store")).DisposeAsync();
        Directory.CreateSymbolicLink(Files.File("link"), Files.File("store"));
        Directory.CreateSymbolicLink(Files.File("above"), Files.Path);
        await AssertSamePlaceAsync("fs:store", $"fs:{target}");
    }

    [Theory]
    [InlineData("store")]
    [InlineData("tutorial")]
    public async Task A_source_is_only_read(string from)
    {
        await (await StartAsync("fs", "store")).DisposeAsync();
        await File.WriteAllTextAsync(Files.File("store/a.json"), Some.TaskJson);
        await File.WriteAllTextAsync(Files.File("store/.b.json.1.tmp"), "what a kill leaves");
        Directory.CreateDirectory(Files.File("tutorial"));
        await File.WriteAllTextAsync(Files.File("tutorial/a.json"), Some.TaskJson);
        var before = Contents();
        Assert.Equal(0, await RunAsync($"fs:{from}", "fs:to"));
        Assert.Contains("Task1", await File.ReadAllTextAsync(Files.File("to/a.json")), StringComparison.Ordinal);
        Directory.Delete(Files.File("to"), recursive: true);
        Assert.Equal(before, Contents());
    }

    [Fact]
    public async Task A_source_that_a_service_uses_is_refused_on_fs()
    {
        await using var service = await StartAsync("fs", "store");
        Assert.Contains("another process uses it", await RefusedAsync("fs:store", "fs:to"), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Files.File("to")));
    }
}
