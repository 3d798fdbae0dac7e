using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>
/// Power is cut under 8 writers, on a file system of its own: what was acknowledged is there, and each way of getting
/// it wrong is seen.
/// </summary>
[Trait("Suite", "long")]
public sealed class PowerCutTests : IDisposable
{
    private const int Writers = 8;

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Acknowledged_changes_outlive_every_power_cut()
    {
        var (wrong, ledger) = await CutAsync(TestRoot.Scale(3, 100), Durable.Sync, isEager: false);
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.NotEqual(0, ledger.Acknowledged);
        TestContext.Current.SendDiagnosticMessage($"{ledger.Acknowledged} changes acknowledged");
    }

    [Theory]
    [InlineData("no fsync of directories")]
    [InlineData("no fsync of files")]
    [InlineData("acknowledged before the fsync")]
    public async Task A_missing_or_late_fsync_is_detected(string variant)
    {
        Action<SafeFileHandle> sync = variant switch
        {
            "no fsync of directories" => handle => SyncIf(handle, isDirectory: false),
            "no fsync of files" => handle => SyncIf(handle, isDirectory: true),
            _ => Durable.Sync,
        };
        var (wrong, _) = await CutAsync(20, sync, isEager: variant == "acknowledged before the fsync");
        Assert.NotEmpty(wrong);
    }

    private static void SyncIf(SafeFileHandle handle, bool isDirectory)
    {
        var path = File.ResolveLinkTarget($"/proc/self/fd/{handle.DangerousGetHandle()}", returnFinalTarget: false)!;
        if (Directory.Exists(path.FullName) == isDirectory)
        {
            Durable.Sync(handle);
        }
    }

    /// <returns>What was wrong in the first round that had something.</returns>
    private async Task<(List<string> Wrong, Ledger Ledger)> CutAsync(
        int rounds, Action<SafeFileHandle> sync, bool isEager)
    {
        using var disk = Mount.Ext4(directory.File("disk"));
        var path = Path.Combine(disk.Path, "store");
        var ledger = new Ledger();
        var wrong = new List<string>();
        for (var round = 0; round < rounds && wrong.Count == 0; round++)
        {
            var enough = ledger.Acknowledged + Random.Shared.Next(1, 300);
            var store = new TaskStore(new FileEngine(path, NullLogger<FileEngine>.Instance, sync));
            await using (store)
            {
                await store.OpenAsync(CancellationToken.None);
                var client = new StoreClient(store) { IsEager = isEager };
                var writers = ledger.WriteAsync(client, Writers);
                await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
                disk.CutPower();
                client.IsEager = false;
                await writers;
            }
            await disk.AgainAsync();
            await using var again = new TaskStore(new FileEngine(path, NullLogger<FileEngine>.Instance));
            await again.OpenAsync(CancellationToken.None);
            var found = await again.ListAsync(TaskQuery.All, CancellationToken.None)
                .ToDictionaryAsync(task => task.Id, task => task.Value.Title);
            wrong.AddRange(ledger.Check(found));
            if (Directory.GetFiles(path, "*.json").Length is var files && files != found.Count)
            {
                wrong.Add($"{files} files, of which {found.Count} are served");
            }
            if (wrong.Count == 0)
            {
                wrong.AddRange(await ledger.RetryAsync(new StoreClient(again), found));
            }
        }
        return (wrong, ledger);
    }

    /// <param name="store">Is written to, as the service does.</param>
    private sealed class StoreClient(TaskStore store) : Ledger.IClient
    {
        private volatile bool isEager;

        /// <summary>Whether it says that an update is done before it is.</summary>
        public bool IsEager { set => isEager = value; }

        public async Task<string?> CreateAsync(string title, string key)
        {
            if (await store.FindKeyAsync(key, CancellationToken.None) is { } known)
            {
                return known.Id;
            }
            var task = Padded(Some.Task(title: title));
            var idempotency = new IdempotencyRecord(key, 0, task.Id, task.Version, DateTimeOffset.UtcNow);
            return await IsDoneAsync(store.CreateAsync(task, idempotency, CancellationToken.None)) ? task.Id : null;
        }

        public async Task<bool> UpdateAsync(string id, string title)
        {
            var done = IsDoneAsync(store.UpdateAsync(Padded(Some.Task(id, title)), null, CancellationToken.None));
            return isEager || await done;
        }

        public Task<bool> DeleteAsync(string id) =>
            IsDoneAsync(store.DeleteAsync(id, null, CancellationToken.None));

        private static Stored<TaskEntry> Padded(Stored<TaskEntry> task) =>
            new(task.Id, task.Value with { Description = Ledger.Padding });

        private static async Task<bool> IsDoneAsync<T>(ValueTask<T> change)
        {
            try
            {
                return await change is true or null;
            }
            catch (StorageException)
            {
                return false;
            }
        }
    }
}
