using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>A disk that takes its time holds up those who write, and nobody else.</summary>
[Trait("Suite", "long")]
public sealed class SlowDiskTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Reads_go_on_while_a_hundred_writers_wait_for_the_disk()
    {
        // There already, so that the start has nothing to sync.
        Directory.CreateDirectory(directory.File("store/.keys"));
        await File.WriteAllTextAsync(directory.File("c.yaml"), "task-db: { fs: store }\n");
        const string hanging = "fsync:delay_enter=600000000";
        using var process = ServiceProcess.StartInjected(hanging, directory.Path, ["-c", "c.yaml", "-p", "0"]);
        using var client = await process.ClientAsync();
        var tasks = new Uri("/tasks", UriKind.Relative);
        var writers = Enumerable.Range(0, 100).Select(async _ =>
        {
            using var refused = await client.PostAsync(tasks, RunningService.Json(Some.TaskJson));
        }).ToList();
        await Until.TrueAsync(
            () => Directory.GetFiles(directory.File("store"), "*.tmp").Length > 1, "writers that wait for the disk");
        for (var i = 0; i < 100; i++)
        {
            using var answer = await client.GetAsync(tasks);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        Assert.DoesNotContain(writers, writer => writer.IsCompleted);
        process.Kill();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => Task.WhenAll(writers));
    }
}
