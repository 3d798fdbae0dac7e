using System.Runtime.Versioning;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>Files and directories that the service may not write to.</summary>
[Trait("Suite", "long")]
[UnsupportedOSPlatform("windows")]
public sealed class PermissionTests : IDisposable
{
    private const UnixFileMode ReadOnlyFile = UnixFileMode.UserRead;
    private const UnixFileMode ReadOnlyDirectory = UnixFileMode.UserRead | UnixFileMode.UserExecute;
    private const UnixFileMode All = ReadOnlyDirectory | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory directory = new();

    public PermissionTests() => Assert.SkipWhen(OperatingSystem.IsWindows(), "permissions of Unix");

    public void Dispose()
    {
        foreach (var made in Directory.GetDirectories(directory.Path, "*", SearchOption.AllDirectories))
        {
            File.SetUnixFileMode(made, All);
        }
        directory.Dispose();
    }

    [Theory]
    [InlineData("fs", "store", ReadOnlyDirectory, "/store may not be written to: Permission denied")]
    [InlineData("fs", "store/.keys", ReadOnlyDirectory, "/store/.keys may not be written to: Permission denied")]
    [InlineData("fs", "store/.keys", UnixFileMode.None, "/store/.keys")]
    [InlineData("fs", "store/.lock", ReadOnlyFile, "/store/.lock' is denied")]
    [InlineData("sqlite", "store", ReadOnlyDirectory, "/store may not be written to: Permission denied")]
    [InlineData("sqlite", "store/tasks.db", ReadOnlyFile, "/store/tasks.db may not be written to: Permission denied")]
    [InlineData("sqlite", "store/tasks.db-wal", ReadOnlyFile, "attempt to write a readonly database")]
    public async Task Without_permission_to_write_the_start_ends_with_one_line_and_changes_nothing(
        string engine, string path, UnixFileMode mode, string problem)
    {
        var place = engine == "fs" ? "store" : "store/tasks.db";
        await (await RunningService.StartAsync($"{engine}: '{directory.File(place)}'")).DisposeAsync();
        using var log = path.EndsWith("-wal", StringComparison.Ordinal)
            ? new SqliteDatabase(directory.File(place)) : null;
        // The log is there as long as someone has the file open.
        log?.Run("UPDATE schema_migrations SET name = name");
        File.SetUnixFileMode(directory.File(path), mode);
        var before = Directory.GetFileSystemEntries(directory.File("store"));
        using var process = Start($"{engine}: {place}");
        Assert.Equal(1, await process.ExitAsync());
        var line = Assert.Single(process.Errors);
        Assert.StartsWith($"taskservice: task-db.{engine}: {place} ", line, StringComparison.Ordinal);
        Assert.Contains(problem, line, StringComparison.Ordinal);
        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(directory.File("store")).Order());
    }

    [Fact]
    public async Task On_fs_a_directory_that_loses_the_permission_is_503_for_changes_and_reads_go_on()
    {
        using var process = Start("fs: store");
        using var client = await process.ClientAsync();
        var (created, location) = await SendAsync(client, "POST", "/tasks", "first");
        Assert.Equal(201, created);
        var path = location!.OriginalString;
        // A delete writes to the keys first, once.
        foreach (var part in new[] { "store/.keys", "store" })
        {
            File.SetUnixFileMode(directory.File(part), ReadOnlyDirectory);
            Assert.Equal(503, (await SendAsync(client, "GET", "/health/ready")).Status);
            Assert.Equal(503, (await SendAsync(client, "POST", "/tasks", "second")).Status);
            Assert.Equal(503, (await SendAsync(client, "DELETE", path)).Status);
            Assert.Equal(200, (await SendAsync(client, "GET", path)).Status);
            File.SetUnixFileMode(directory.File(part), All);
            Assert.Equal(200, (await SendAsync(client, "GET", "/health/ready")).Status);
        }
        Assert.Equal(201, (await SendAsync(client, "POST", "/tasks", "second")).Status);
        Assert.Equal(204, (await SendAsync(client, "DELETE", path)).Status);
    }

    private static async Task<(int Status, Uri? Location)> SendAsync(
        HttpClient client, string method, string path, string? key = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        if (key is not null)
        {
            request.Content = RunningService.Json(Some.TaskJson);
            request.Headers.Add("Idempotency-Key", key);
        }
        using var answer = await client.SendAsync(request);
        return ((int)answer.StatusCode, answer.Headers.Location);
    }

    private ServiceProcess Start(string taskDb)
    {
        File.WriteAllText(directory.File("c.yaml"), $"task-db: {{ {taskDb} }}\n");
        return ServiceProcess.StartUnprivileged(directory.Path, "-c", "c.yaml", "-p", "0");
    }
}
