using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

public sealed class FileEngineTests() : StoreContract("fs")
{
    private readonly TemporaryDirectory directory = new();

    private static CancellationToken Cancel => CancellationToken.None;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        directory.Dispose();
    }

    [Fact]
    public async Task A_task_is_one_readable_file_and_is_there_after_a_restart()
    {
        var path = directory.File("new/store");
        var task = new Stored<TaskEntry>("a-1", new TaskEntry
        {
            Title = "žluť",
            Priority = TaskPriority.High,
            DueDate = DateTimeOffset.UnixEpoch.AddMicroseconds(1_500_000),
        });
        await using (var store = await OpenAsync(path))
        {
            await store.CreateAsync(task, null, Cancel);
            await store.CreateAsync(Some.Task("b"), null, Cancel);
            await store.DeleteAsync("b", null, Cancel);
        }
        Assert.Equal(
            """{"priority":"high","title":"žluť","completed":false,"due_date":1.5}""",
            await File.ReadAllTextAsync(Path.Combine(path, "a-1.json"), Cancel));
        Assert.Equal(["a-1.json"], Files(path));
        await using var again = await OpenAsync(path);
        Assert.Equal([task], await again.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_file_that_a_person_wrote_needs_a_title_only()
    {
        var path = Directory.CreateDirectory(directory.File("short")).FullName;
        await File.WriteAllTextAsync(Path.Combine(path, "by-hand.json"), """{ "title": "a" }""", Cancel);
        await using var store = await OpenAsync(path);
        Assert.Equal(new TaskEntry { Title = "a" }, (await store.FindAsync("by-hand", Cancel))!.Value);
    }

    [Fact]
    public async Task A_directory_that_the_tutorial_wrote_opens_as_it_is()
    {
        var path = Directory.CreateDirectory(directory.File("tutorial")).FullName;
        const string written =
            """{"priority": "high", "title": "Complete Chapter-1 \u017e <\/b>", "description": "d","""
            + """ "completed": true, "due_date": 1663738852}""";
        var file = Path.Combine(path, "4bb6e1e4d7e54421ba710d6d82f1a748.json");
        await File.WriteAllTextAsync(file, written, Cancel);
        await using var store = await OpenAsync(path);
        var entry = (await store.FindAsync("4bb6e1e4d7e54421ba710d6d82f1a748", Cancel))!.Value;
        Assert.Equal(new TaskEntry
        {
            Title = "Complete Chapter-1 ž </b>",
            Description = "d",
            Priority = TaskPriority.High,
            Completed = true,
            DueDate = DateTimeOffset.FromUnixTimeSeconds(1_663_738_852),
        }, entry);
        Assert.Equal(written, await File.ReadAllTextAsync(file, Cancel));
    }

    [Theory]
    [InlineData("empty.json", "")]
    [InlineData("torn.json", """{"title":"t""")]
    [InlineData("list.json", "[1]")]
    [InlineData("null.json", "null")]
    [InlineData("null-title.json", """{"title":null}""")]
    [InlineData("null-completed.json", """{"title":"t","completed":null}""")]
    [InlineData("rule.json", """{"title":""}""")]
    [InlineData("long.json", """{"title":"t","description":"\u0000"}""")]
    [InlineData("priority.json", """{"title":"t","priority":"HIGH"}""")]
    [InlineData("number.json", """{"title":"t","priority":"1"}""")]
    [InlineData("date.json", """{"title":"t","due_date":1e300}""")]
    [InlineData("nan.json", """{"title":"t","due_date":NaN}""")]
    [InlineData("twice.json", """{"title":"t","title":"t"}""")]
    [InlineData("unknown.json", """{"title":"t","more":1}""")]
    [InlineData("surrogate.json", """{"title":"\ud800"}""")]
    [InlineData("a_b.json", """{"title":"t"}""")]
    [InlineData("upper.JSON", """{"title":"t"}""")]
    public async Task A_foreign_or_damaged_file_is_neither_served_nor_touched(string name, string content)
    {
        var path = Directory.CreateDirectory(directory.File("damaged")).FullName;
        await File.WriteAllTextAsync(Path.Combine(path, name), content, Cancel);
        await using var store = await OpenAsync(path);
        var id = Path.GetFileNameWithoutExtension(name);
        Assert.Empty(await store.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel));
        Assert.Null(await store.FindAsync(id, Cancel));
        Assert.Equal(ErrorKind.NotFound, await store.DeleteAsync(id, null, Cancel));
        Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(Some.Task(id), null, Cancel));
        Assert.Equal(content, await File.ReadAllTextAsync(Path.Combine(path, name), Cancel));
    }

    [Fact]
    public async Task Other_files_and_directories_are_left_alone_and_temporary_ones_of_a_dead_process_are_removed()
    {
        var path = Directory.CreateDirectory(directory.File("mixed")).FullName;
        Directory.CreateDirectory(Path.Combine(path, "folder.json"));
        await File.WriteAllTextAsync(Path.Combine(path, "README.txt"), "hello", Cancel);
        await File.WriteAllTextAsync(Path.Combine(path, ".a.json.7.tmp"), "half", Cancel);
        await File.WriteAllTextAsync(Path.Combine(path, ".mine.tmp"), "kept", Cancel);
        await using (var store = await OpenAsync(path))
        {
            Assert.Empty(await store.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel));
        }
        Assert.Equal([".mine.tmp", "README.txt"], Files(path).Order(StringComparer.Ordinal));
        Assert.True(Directory.Exists(Path.Combine(path, "folder.json")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"Key":null,"BodyHash":"0","TaskId":"a","Version":"0","Created":"2026-11-21T00:00:00Z"}""")]
    [InlineData("""{"Key":"k","BodyHash":"x","TaskId":"a","Version":"0","Created":"2026-11-21T00:00:00Z"}""")]
    [InlineData("""{"Key":"k","BodyHash":"1##","TaskId":"a","Version":"0","Created":"2026-11-21T00:00:00Z"}""")]
    public async Task A_damaged_idempotency_key_is_no_key_and_stops_nothing(string content)
    {
        var path = Directory.CreateDirectory(directory.File("keys")).FullName;
        Directory.CreateDirectory(Path.Combine(path, ".keys"));
        // A hash of more digits than it has bits for.
        content = content.Replace("##", new string('1', 40), StringComparison.Ordinal);
        foreach (var name in new[] { "a.key", "b.pending" })
        {
            await File.WriteAllTextAsync(Path.Combine(path, ".keys", name), content, Cancel);
        }
        await using var store = await OpenAsync(path);
        Assert.Null(await store.FindKeyAsync("k", Cancel));
        Assert.Null(await store.CreateAsync(Some.Task(), null, Cancel));
    }

    [Fact]
    public async Task A_create_with_a_taken_id_leaves_the_key_of_the_task_that_has_it()
    {
        var path = directory.File("taken");
        var task = Some.Task("a");
        await using (var store = await OpenAsync(path))
        {
            Assert.Null(await store.CreateAsync(task, RecordOf("first"), Cancel));
            Assert.Equal(ErrorKind.IdTaken, await store.CreateAsync(task, RecordOf("second"), Cancel));
        }
        await using var again = await OpenAsync(path);
        Assert.Equal(RecordOf("first"), await again.FindKeyAsync("first", Cancel));
        Assert.Null(await again.FindKeyAsync("second", Cancel));

        IdempotencyRecord RecordOf(string key) => new(key, 1, "a", task.Version, DateTimeOffset.UnixEpoch);
    }

    [Fact]
    public async Task A_second_process_on_one_directory_is_refused_and_the_first_goes_on()
    {
        var path = directory.File("shared");
        await using var first = await OpenAsync(path);
        var error = await Assert.ThrowsAsync<StorageException>(async () => await OpenAsync(path));
        Assert.Contains("another process uses it", error.Message, StringComparison.Ordinal);
        Assert.Null(await first.CreateAsync(Some.Task(), null, Cancel));
    }

    [Fact]
    public async Task A_path_that_cannot_be_a_directory_is_an_error_in_one_line()
    {
        await File.WriteAllTextAsync(directory.File("file"), "", Cancel);
        var file = await Assert.ThrowsAsync<StorageException>(async () => await OpenAsync(directory.File("file")));
        Assert.Equal($"task-db.fs: {directory.File("file")} is not a usable directory: it is a file", file.Message);
        await Assert.ThrowsAsync<StorageException>(async () => await OpenAsync(directory.File("file/below")));
    }

    [Fact]
    public async Task A_write_that_fails_changes_nothing_and_leaves_nothing()
    {
        // A directory where the file would go makes the rename fail, whoever runs the test.
        var path = directory.File("store");
        await using var store = await OpenAsync(path);
        Directory.CreateDirectory(Path.Combine(path, "a.json", "full"));
        var error = await Assert.ThrowsAsync<StorageException>(
            async () => await store.CreateAsync(Some.Task("a"), null, Cancel));
        Assert.Equal(ErrorKind.StorageUnavailable, error.Kind);
        Assert.Null(await store.FindAsync("a", Cancel));
        Assert.Empty(Files(path));
        Assert.Null(await store.CreateAsync(Some.Task("b"), null, Cancel));
    }

    private static TaskStore NewStore(string path) => new(new FileEngine(path, NullLogger<FileEngine>.Instance));

    private static async Task<TaskStore> OpenAsync(string path)
    {
        var store = NewStore(path);
        try
        {
            await store.OpenAsync(Cancel);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    private static IEnumerable<string?> Files(string path) =>
        Directory.GetFiles(path).Select(Path.GetFileName).Where(name => name != ".lock");
}
