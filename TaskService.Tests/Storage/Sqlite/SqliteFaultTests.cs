using System.Net;
using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>What clients see of a disk that fails and of other processes, and that nothing is lost by it.</summary>
[Trait("Suite", "long")]
public sealed class SqliteFaultTests : IDisposable
{
    private static readonly Uri Tasks = new("/tasks", UriKind.Relative);
    private static readonly Uri Ready = new("/health/ready", UriKind.Relative);

    private readonly TemporaryDirectory directory = new();

    public SqliteFaultTests() => File.WriteAllText(directory.File("c.yaml"), "task-db: { sqlite: store/tasks.db }\n");

    private string DatabaseFile => directory.File("store/tasks.db");

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task While_another_process_holds_the_lock_changes_are_503_and_reads_go_on()
    {
        using var process = Start();
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client));
        using var other = new SqliteDatabase(DatabaseFile);
        other.Run("BEGIN IMMEDIATE");
        using var refused = await client.PostAsync(Tasks, RunningService.Json(Some.TaskJson));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(503, await StatusAsync(client, Ready));
        Assert.Equal(1, await CountAsync(client));
        other.Run("ROLLBACK");
        Assert.Equal(201, await CreateAsync(client));
        Assert.Equal(200, await StatusAsync(client, Ready));
        Assert.Equal(2, await CountAsync(client));
    }

    [Fact]
    public async Task Two_services_on_one_file_lose_nothing_and_refuse_nothing()
    {
        // Both make the file, too.
        using var one = Start();
        using var two = Start();
        using var first = await one.ClientAsync();
        using var second = await two.ClientAsync();
        var count = TestRoot.Scale(100, 2_000);
        var statuses = await Task.WhenAll(Enumerable.Range(0, 16).Select(async writer =>
        {
            var wrong = new List<int>();
            for (var number = 0; number < count / 16; number++)
            {
                wrong.Add(await CreateAsync(writer % 2 == 0 ? first : second));
            }
            return wrong;
        }));
        Assert.All(statuses.SelectMany(status => status), status => Assert.Equal(201, status));
        Assert.Equal(count / 16 * 16, await CountAsync(first));
        Assert.Equal(await first.GetStringAsync(Tasks), await second.GetStringAsync(Tasks));
    }

    [Theory]
    [InlineData("?fsync,?fdatasync:error=EIO", 503)]
    [InlineData("pwrite64:error=EIO", 503)]
    [InlineData("pwrite64:error=ENOSPC", 507)]
    public async Task A_disk_that_fails_is_no_success_and_the_service_recovers_with_it(string injection, int status)
    {
        using var process = Start();
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client));
        using (await process.InjectAsync(injection))
        {
            Assert.Equal(status, await CreateAsync(client));
            Assert.Equal(200, await StatusAsync(client, Tasks));
        }
        Assert.Equal(201, await CreateAsync(client));
        Assert.Equal(2, await CountAsync(client));
        process.Kill();
        using var again = Start();
        using var retry = await again.ClientAsync();
        Assert.Equal(2, await CountAsync(retry));
    }

    [Theory]
    // As ext4 does to itself after an error. The first is seen by a change, the second at once.
    [InlineData("pwrite64:error=EROFS", 503, 503)]
    [InlineData("?access,?faccessat,?faccessat2:error=EROFS", 201, 503)]
    public async Task A_disk_that_becomes_read_only_is_not_ready_until_it_is_writable(
        string injection, int created, int ready)
    {
        using var process = Start();
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client));
        using (await process.InjectAsync(injection))
        {
            Assert.Equal(created, await CreateAsync(client));
            Assert.Equal(ready, await StatusAsync(client, Ready));
            Assert.Equal(200, await StatusAsync(client, Tasks));
        }
        Assert.Equal(200, await StatusAsync(client, Ready));
        Assert.Equal(created == 201 ? 2 : 1, await CountAsync(client));
    }

    [Fact]
    public async Task A_full_disk_is_507_for_what_does_not_fit_reads_go_on_and_nothing_acknowledged_is_lost()
    {
        Directory.CreateDirectory(directory.File("store"));
        using var disk = Mount.Tmpfs(directory.File("store"), "1m");
        var ballast = directory.File("store/ballast");
        await File.WriteAllBytesAsync(ballast, new byte[400 * 1024]);
        using var process = Start();
        using var client = await process.ClientAsync();
        var made = 0;
        var statuses = new List<int>();
        while (!statuses.Contains(507) && made < 10_000)
        {
            // At once, so that they share transactions, which must not fail as one.
            statuses = [.. await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => CreateAsync(client)))];
            made += statuses.Count(status => status == 201);
            Assert.All(statuses, status => Assert.True(status is 201 or 507, $"{status}"));
        }
        Assert.Contains(507, statuses);
        Assert.Equal(made, await CountAsync(client));
        Assert.Equal(200, await StatusAsync(client, Ready));
        File.Delete(ballast);
        Assert.Equal(201, await CreateAsync(client));
        process.Kill();
        using var again = Start();
        using var retry = await again.ClientAsync();
        Assert.Equal(made + 1, await CountAsync(retry));
    }

    [Fact]
    public async Task A_file_that_is_removed_or_replaced_takes_no_changes()
    {
        using var process = Start();
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client));
        File.Move(DatabaseFile, directory.File("store/elsewhere.db"));
        Assert.Equal(503, await CreateAsync(client));
        await File.WriteAllTextAsync(DatabaseFile, "");
        Assert.Equal(503, await CreateAsync(client));
        Assert.Equal(503, await StatusAsync(client, Ready));
        Assert.Equal(200, await StatusAsync(client, Tasks));
        File.Move(directory.File("store/elsewhere.db"), DatabaseFile, overwrite: true);
        Assert.Equal(201, await CreateAsync(client));
    }

    [Fact]
    public async Task A_log_that_is_removed_takes_no_changes()
    {
        using var process = Start();
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client));
        File.Delete(DatabaseFile + "-wal");
        Assert.Equal(503, await CreateAsync(client));
        Assert.Equal(503, await StatusAsync(client, Ready));
        Assert.Equal(1, await CountAsync(client));
    }

    [Fact]
    public async Task Concurrent_reads_while_the_file_is_missing_damage_neither_it_nor_its_log()
    {
        using (var process = Start())
        {
            using var client = await process.ClientAsync();
            Assert.Equal(201, await CreateAsync(client));
            File.Move(DatabaseFile, directory.File("store/elsewhere.db"));
            await ReadAtOnceAsync(client);
            await File.WriteAllTextAsync(DatabaseFile, "");
            await ReadAtOnceAsync(client);
            File.Move(directory.File("store/elsewhere.db"), DatabaseFile, overwrite: true);
            Assert.Equal(201, await CreateAsync(client));
            process.Kill();
        }
        using var again = Start();
        using var after = await again.ClientAsync();
        Assert.Equal(2, await CountAsync(after));

        static Task ReadAtOnceAsync(HttpClient client) => Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
        {
            for (var i = 0; i < 10; i++)
            {
                Assert.Equal(1, await CountAsync(client));
            }
        }));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_an_exit_with_one_line_and_is_not_touched()
    {
        Directory.CreateDirectory(directory.File("store"));
        await File.WriteAllTextAsync(DatabaseFile, new string('x', 5_000));
        await AssertRefusedAsync("store/tasks.db", "file is not a database");
        Assert.Equal(new string('x', 5_000), await File.ReadAllTextAsync(DatabaseFile));
    }

    [Fact]
    public async Task A_directory_in_its_place_is_an_exit_with_one_line()
    {
        Directory.CreateDirectory(DatabaseFile);
        await AssertRefusedAsync("store/tasks.db", "unable to open database file");
    }

    [Fact]
    public async Task A_file_system_that_is_read_only_is_an_exit_with_one_line()
    {
        Directory.CreateDirectory(directory.File("store"));
        using var disk = Mount.Tmpfs(directory.File("store"), "512k,ro");
        await AssertRefusedAsync("store/tasks.db", "/store may not be written to: Read-only file system");
    }

    [Theory]
    [InlineData(
        "UPDATE schema_migrations SET hash = 'x' WHERE version = 1",
        "the migration 001_tasks.sql has changed since it was applied")]
    [InlineData(
        "INSERT INTO schema_migrations VALUES (0, '000_old.sql', 'x', 'now')",
        "the migration 000_old.sql was applied, but this program does not have it")]
    [InlineData(
        "INSERT INTO schema_migrations VALUES (999, '999_new.sql', 'x', 'now')",
        "the database is newer than this program: 999_new.sql was applied")]
    public async Task A_schema_that_is_not_the_programs_is_an_exit_with_one_line(string change, string problem)
    {
        using (var first = Start())
        {
            _ = await first.ListeningAsync();
        }
        using (var database = new SqliteDatabase(DatabaseFile))
        {
            database.Run(change);
        }
        await AssertRefusedAsync("store/tasks.db", problem);
    }

    private static async Task<int> StatusAsync(HttpClient client, Uri path)
    {
        using var answer = await client.GetAsync(path);
        return (int)answer.StatusCode;
    }

    private static async Task<int> CreateAsync(HttpClient client)
    {
        using var answer = await client.PostAsync(
            Tasks, RunningService.Json($$"""{"title":"t","description":"{{Ledger.Padding}}"}"""));
        return (int)answer.StatusCode;
    }

    private static async Task<int> CountAsync(HttpClient client)
    {
        using var list = JsonDocument.Parse(await client.GetStringAsync(Tasks));
        return list.RootElement.EnumerateObject().Count();
    }

    private async Task AssertRefusedAsync(params string[] said)
    {
        using var process = Start();
        Assert.Equal(1, await process.ExitAsync());
        var line = Assert.Single(process.Errors);
        Assert.All(said, text => Assert.Contains(text, line, StringComparison.Ordinal));
    }

    private ServiceProcess Start() => ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
}
