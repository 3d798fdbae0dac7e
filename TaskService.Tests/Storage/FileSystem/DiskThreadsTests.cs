using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Storage.FileSystem;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>The threads that wait for the disk.</summary>
public sealed class DiskThreadsTests
{
    [Fact]
    public async Task Sequential_changes_need_one_thread()
    {
        using var threads = new DiskThreads(NullLogger.Instance);
        var used = new HashSet<int>();
        for (var i = 0; i < TestRoot.Scale(2_000, 100_000); i++)
        {
            used.Add(await threads.RunAsync(() => Environment.CurrentManagedThreadId, CancellationToken.None));
        }
        Assert.Single(used);
    }
}
