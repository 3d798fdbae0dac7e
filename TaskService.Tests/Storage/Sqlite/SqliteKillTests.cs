using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>
/// The service is killed under load, or its disk loses power, and it is started again: what it acknowledged is there.
/// </summary>
[Trait("Suite", "long")]
public sealed class SqliteKillTests : IDisposable
{
    private const int Writers = 8;

    private readonly TemporaryDirectory directory = new();

    public SqliteKillTests() => File.WriteAllText(directory.File("c.yaml"), "task-db: { sqlite: tasks.db }\n");

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Acknowledged_changes_of_8_writers_outlive_every_kill()
    {
        var ledger = new Ledger();
        var rounds = TestRoot.Scale(3, 60);
        for (var round = 0; round < rounds; round++)
        {
            using var process = Start();
            using var http = await process.ClientAsync();
            var client = new LedgerClient(http);
            await AssertRightAsync(ledger, client);
            var enough = ledger.Acknowledged + Random.Shared.Next(1, 500);
            var writers = ledger.WriteAsync(client, Writers);
            await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
            process.Kill();
            await writers;
        }
        using var last = Start();
        using var lastHttp = await last.ClientAsync();
        await AssertRightAsync(ledger, new LedgerClient(lastHttp));
        TestContext.Current.SendDiagnosticMessage($"{rounds} kills, {ledger.Acknowledged} changes acknowledged");
    }

    [Theory]
    [InlineData("pwrite64")]
    [InlineData("?fsync,?fdatasync")]
    public async Task A_kill_at_any_step_leaves_a_change_atomic_and_a_retry_applies_it_once(string call)
    {
        // The first start has other steps, since it makes the file.
        using (var first = Start())
        {
            _ = await first.ListeningAsync();
        }
        var ledger = new Ledger();
        for (var step = 1; step <= TestRoot.Scale(3, 40); step++)
        {
            string[] args = ["-c", "c.yaml", "-p", "0"];
            using (var killed = ServiceProcess.StartInjected(
                $"{call}:signal=SIGKILL:when={step}", directory.Path, args, directory.File("tasks.db-wal")))
            {
                using var http = await killed.ClientAsync();
                await ledger.WriteAsync(new LedgerClient(http), writers: 2);
                await killed.ExitAsync();
            }
            using var again = Start();
            using var retry = await again.ClientAsync();
            await AssertRightAsync(ledger, new LedgerClient(retry));
        }
    }

    [Fact]
    public async Task Acknowledged_changes_outlive_every_power_cut()
    {
        await File.WriteAllTextAsync(directory.File("c.yaml"), "task-db: { sqlite: disk/store/tasks.db }\n");
        using var disk = Mount.Ext4(directory.File("disk"));
        var ledger = new Ledger();
        for (var round = 0; round < TestRoot.Scale(3, 50); round++)
        {
            using (var process = Start())
            {
                using var http = await process.ClientAsync();
                var client = new LedgerClient(http);
                await AssertRightAsync(ledger, client);
                var enough = ledger.Acknowledged + Random.Shared.Next(1, 300);
                var powered = new PoweredClient(client);
                var writers = ledger.WriteAsync(powered, Writers);
                await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
                powered.IsCut = true;
                disk.CutPower();
                await writers;
            }
            await disk.AgainAsync();
        }
        using var last = Start();
        using var lastHttp = await last.ClientAsync();
        await AssertRightAsync(ledger, new LedgerClient(lastHttp));
    }

    private static async Task AssertRightAsync(Ledger ledger, LedgerClient client)
    {
        var found = await client.ListAsync();
        var wrong = ledger.Check(found);
        wrong.AddRange(await ledger.RetryAsync(client, found));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private ServiceProcess Start() => ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");

    /// <summary>
    /// Hears nothing any more when the power is cut: a machine without power does not answer, but a process whose file
    /// system is shut down under a sync that is under way may.
    /// </summary>
    private sealed class PoweredClient(LedgerClient client) : Ledger.IClient
    {
        private volatile bool isCut;

        public bool IsCut { set => isCut = value; }

        public async Task<string?> CreateAsync(string title, string key) =>
            await client.CreateAsync(title, key) is { } id && !isCut ? id : null;

        public async Task<bool> UpdateAsync(string id, string title) => await client.UpdateAsync(id, title) && !isCut;

        public async Task<bool> DeleteAsync(string id) => await client.DeleteAsync(id) && !isCut;
    }
}
