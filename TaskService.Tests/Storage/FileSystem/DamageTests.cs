using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Tasks;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>What is not a task is reported once, with name and reason, counted, never served, never touched.</summary>
public sealed class DamageTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly Messages log = new();

    private static CancellationToken Cancel => CancellationToken.None;

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_file_that_ends_at_any_byte_is_reported_and_not_served()
    {
        var whole = Whole();
        for (var length = 0; length < whole.Length; length++)
        {
            await File.WriteAllBytesAsync(directory.File($"cut-{length}.json"), whole[..length], Cancel);
        }
        Assert.Empty(await ServedAsync());
        Assert.Equal(whole.Length, log.Lines.Count);
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Single(log.Lines, line => line.Contains($"/cut-{length}.json ", StringComparison.Ordinal));
            Assert.Equal(whole[..length], await File.ReadAllBytesAsync(directory.File($"cut-{length}.json"), Cancel));
        }
    }

    [Fact]
    public async Task A_file_with_any_bit_flipped_is_reported_or_is_the_valid_task_that_it_has_become()
    {
        var whole = Whole();
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            var flipped = whole.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            await File.WriteAllBytesAsync(directory.File($"bit-{bit}.json"), flipped, Cancel);
        }
        var served = await ServedAsync();
        Assert.Equal(whole.Length * 8, served.Count + log.Lines.Count);
        // Without a checksum a letter of the title may be another one; the syntax, names and values may not.
        Assert.InRange(served.Count, 1, whole.Length * 4);
        foreach (var task in served)
        {
            var file = await File.ReadAllBytesAsync(directory.File($"{task.Id}.json"), Cancel);
            var row = JsonSerializer.SerializeToNode(TaskRow.FromDomain(task.Value), TaskRowJson.File.TaskRow);
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(file), row), Encoding.UTF8.GetString(file));
        }
    }

    [Fact]
    public async Task Other_kinds_of_files_under_the_name_of_a_task_are_reported_and_never_opened()
    {
        using var counts = new LimitHits();
        await File.WriteAllBytesAsync(directory.File("good.json"), Whole(), Cancel);
        await File.WriteAllTextAsync(directory.File("elsewhere"), """{"title":"elsewhere"}""", Cancel);
        File.CreateSymbolicLink(directory.File("link.json"), directory.File("elsewhere"));
        File.CreateSymbolicLink(directory.File("dangling.json"), directory.File("nothing"));
        Directory.CreateDirectory(directory.File("folder.json"));
        // Who opens it would wait for ever.
        using (var pipe = Process.Start("mkfifo", directory.File("pipe.json")))
        {
            await pipe.WaitForExitAsync(Cancel);
        }
        foreach (var twin in new[] { "Twin.json", "twin.json" })
        {
            await File.WriteAllBytesAsync(directory.File(twin), Whole(), Cancel);
        }
        await using (var huge = File.Create(directory.File("huge.json")))
        {
            huge.SetLength(8L * 1024 * 1024 * 1024);
        }
        Assert.Equal(["good"], (await ServedAsync()).Select(task => task.Id));
        (string Name, string Reason)[] expected =
        [
            ("link", "it is a symbolic link"),
            ("dangling", "it is a symbolic link"),
            ("folder", "it is a directory"),
            ("pipe", "it is empty"),
            ("Twin", "another file's name differs from it in case only"),
            ("twin", "another file's name differs from it in case only"),
            ("huge", "it has 8589934592 bytes, more than 1048576"),
        ];
        Assert.Equal(expected.Length, log.Lines.Count);
        Assert.All(expected, file => Assert.Contains(
            $"File {directory.File(file.Name)}.json is not served and not touched: {file.Reason}", log.Lines));
        // Other tests may count at the same time.
        Assert.InRange(counts["taskservice.storage.files.not_served"], expected.Length, long.MaxValue);
    }

    [Fact]
    public async Task An_idempotency_key_that_is_damaged_is_reported_and_not_touched()
    {
        Directory.CreateDirectory(directory.File(".keys"));
        await File.WriteAllTextAsync(directory.File(".keys/a.key"), "{", Cancel);
        await File.WriteAllTextAsync(directory.File(".keys/b.pending"), "", Cancel);
        await File.WriteAllTextAsync(
            directory.File(".keys/c.key"),
            """{"Key":"k","BodyHash":"0","TaskId":"d","Version":"0","Created":"2026-11-21T00:00:00Z"}""",
            Cancel);
        Assert.Empty(await ServedAsync());
        Assert.Equal(3, log.Lines.Count);
        Assert.Single(log.Lines, line => line.EndsWith("it is empty", StringComparison.Ordinal));
        Assert.Single(log.Lines, line => line.EndsWith("it is named after another resource", StringComparison.Ordinal));
        Assert.Equal(3, Directory.GetFiles(directory.File(".keys")).Length);
    }

    [Trait("Suite", "long")]
    [Fact]
    public async Task Ten_thousand_files_are_read_with_a_line_of_progress()
    {
        for (var i = 0; i < 10_000; i++)
        {
            await File.WriteAllBytesAsync(directory.File($"t{i}.json"), Whole(), Cancel);
        }
        Assert.Equal(10_000, (await ServedAsync()).Count);
        Assert.Equal($"Read 10000 of 10000 files in {directory.Path}", Assert.Single(log.Lines));
    }

    private static byte[] Whole() =>
        """{"priority":"high","title":"abc žluť","description":"d","completed":true,"due_date":1.5}"""u8.ToArray();

    private async Task<List<Stored<TaskEntry>>> ServedAsync()
    {
        await using var store = new TaskStore(new FileEngine(directory.Path, log));
        await store.OpenAsync(Cancel);
        return await store.ListAsync(TaskQuery.All, Cancel).ToListAsync(Cancel);
    }

    private sealed class Messages : ILogger<FileEngine>
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));
    }
}
