using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>What clients see of a disk that fails, and that nothing is lost or half done by it.</summary>
[Trait("Suite", "long")]
public sealed class FaultTests : IDisposable
{
    private static readonly Uri Tasks = new("/tasks", UriKind.Relative);
    private static readonly Uri Ready = new("/health/ready", UriKind.Relative);

    private readonly TemporaryDirectory directory = new();

    public FaultTests()
    {
        File.WriteAllText(directory.File("c.yaml"), "task-db: { fs: store }\n");
        // There already, so that the start has nothing to sync.
        Directory.CreateDirectory(directory.File("store/.keys"));
    }

    private string Store => directory.File("store");

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("pwrite64:error=ENOSPC:when=1", 507)]
    [InlineData("pwrite64:error=EDQUOT:when=1", 507)]
    [InlineData("pwrite64:error=EIO:when=1", 503)]
    [InlineData("fsync:error=ENOSPC:when=1", 507)]
    [InlineData("fsync:error=EDQUOT:when=1", 507)]
    [InlineData("fsync:error=EIO:when=1", 503)]
    [InlineData("?rename,?renameat:error=ENOSPC:when=1", 507)]
    [InlineData("?rename,?renameat:error=EDQUOT:when=1", 507)]
    [InlineData("?rename,?renameat:error=EIO:when=1", 503)]
    [InlineData("?rename,?renameat:error=EROFS:when=1", 503)]
    public async Task A_create_that_fails_makes_nothing_and_the_next_one_works(string injection, int status)
    {
        using var process = Start(injection);
        using var client = await process.ClientAsync();
        Assert.Equal(status, await CreateAsync(client, key: null));
        Assert.Equal("{}", await client.GetStringAsync(Tasks));
        Assert.Equal([".lock"], Directory.GetFiles(Store).Select(Path.GetFileName));
        Assert.Equal(200, await StatusAsync(client, Ready));
        Assert.Equal(201, await CreateAsync(client, key: null));
        Assert.Single(Directory.GetFiles(Store, "*.json"));
    }

    [Theory]
    [InlineData("pwrite64:error=ENOSPC:when=2", 507)]
    [InlineData("?rename,?renameat:error=EIO:when=2", 503)]
    public async Task A_create_that_fails_after_its_key_was_written_has_no_key(string injection, int status)
    {
        using var process = Start(injection);
        using var client = await process.ClientAsync();
        Assert.Equal(status, await CreateAsync(client, "k"));
        Assert.Empty(Directory.GetFiles(Path.Combine(Store, ".keys")));
        Assert.Equal(201, await CreateAsync(client, "k"));
        Assert.Single(Directory.GetFiles(Store, "*.json"));
    }

    [Theory]
    [InlineData("?unlink,?unlinkat:error=EIO:when=1")]
    // The key's, which must not look as if its task had never been.
    [InlineData("?rename,?renameat:error=EIO:when=3")]
    public async Task A_delete_that_fails_leaves_the_task_and_its_key(string injection)
    {
        using var process = Start(injection);
        using var client = await process.ClientAsync();
        var first = await LocationAsync(client);
        using var failed = await client.DeleteAsync(first);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.Equal(200, await StatusAsync(client, first));
        Assert.Equal(first, await LocationAsync(client));
        using var done = await client.DeleteAsync(first);
        Assert.Equal(HttpStatusCode.NoContent, done.StatusCode);
        Assert.Equal(first, await LocationAsync(client));
        Assert.Equal("{}", await client.GetStringAsync(Tasks));
    }

    [Fact]
    public async Task After_a_failed_fsync_of_the_directory_it_is_read_only_until_a_restart()
    {
        using (var process = Start("fsync:error=EIO:when=4"))
        {
            using var client = await process.ClientAsync();
            Assert.Equal(201, await CreateAsync(client, key: null));
            Assert.Equal(503, await CreateAsync(client, key: null));
            // The fsync would succeed now, without having done anything.
            Assert.Equal(503, await CreateAsync(client, key: null));
            Assert.Equal(503, await StatusAsync(client, Ready));
            Assert.Equal(200, await StatusAsync(client, Tasks));
            await Until.TrueAsync(
                () => process.Output.Any(line => line.Contains("read-only until a restart", StringComparison.Ordinal)),
                "the line that says so");
        }
        using var again = Start(injection: null);
        using var retry = await again.ClientAsync();
        Assert.Equal(200, await StatusAsync(retry, Ready));
        Assert.Equal(201, await CreateAsync(retry, key: null));
    }

    [Fact]
    public async Task A_write_that_times_out_is_503_and_its_retry_waits_for_the_outcome()
    {
        await File.AppendAllTextAsync(directory.File("c.yaml"), "http: { request-time-max-ms: 1000 }\n");
        using var process = Start("fsync:delay_enter=5000000:when=1");
        using var client = await process.ClientAsync();
        Assert.Equal(503, await CreateAsync(client, "k"));
        var status = 503;
        for (var tries = 0; status == 503 && tries < 100; tries++)
        {
            status = await CreateAsync(client, "k");
        }
        Assert.Equal(201, status);
        Assert.Single(Directory.GetFiles(Store, "*.json"));
    }

    [Fact]
    public async Task A_client_that_disconnects_while_the_disk_hangs_is_499()
    {
        using var process = Start("fsync:delay_enter=600000000");
        using var client = await process.ClientAsync();
        using var leave = new CancellationTokenSource();
        var creating = client.PostAsync(Tasks, RunningService.Json(Some.TaskJson), leave.Token);
        await Until.TrueAsync(() => Directory.GetFiles(Store, "*.tmp").Length == 1, "a file that is written");
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => creating);
        await Until.TrueAsync(
            () => process.Output.Any(line => line.Contains("=499", StringComparison.Ordinal)), "a 499");
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_is_reported_and_not_served()
    {
        var file = Path.Combine(Store, "a.json");
        await File.WriteAllTextAsync(file, Some.TaskJson);
        using var process = Start("openat:error=EACCES", file);
        using var client = await process.ClientAsync();
        Assert.Equal("{}", await client.GetStringAsync(Tasks));
        var denied = $"Access to the path '{file}' is denied";
        Assert.Single(process.Output, line => line.Contains(denied, StringComparison.Ordinal));
        Assert.Equal(Some.TaskJson, await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task With_too_many_files_open_changes_are_503_until_there_are_fewer()
    {
        using var process = Start(injection: null);
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client, key: null));
        // Not a real limit: the runtime needs a pipe for each new thread, and ends the process when it gets none.
        using (await process.InjectAsync("openat:error=EMFILE"))
        {
            Assert.Equal(503, await CreateAsync(client, key: null));
            Assert.Equal(503, await StatusAsync(client, Ready));
            Assert.Equal(200, await StatusAsync(client, Tasks));
        }
        Assert.Equal(200, await StatusAsync(client, Ready));
        Assert.Equal(201, await CreateAsync(client, key: null));
    }

    [Fact]
    public async Task A_directory_that_is_removed_takes_no_changes_even_if_there_is_another_of_its_name()
    {
        using var process = Start(injection: null);
        using var client = await process.ClientAsync();
        Assert.Equal(201, await CreateAsync(client, "k"));
        Directory.Delete(Store, recursive: true);
        Assert.Equal(503, await CreateAsync(client, key: null));
        Assert.Equal(503, await StatusAsync(client, Ready));
        Directory.CreateDirectory(Path.Combine(Store, ".keys"));
        Assert.Equal(503, await CreateAsync(client, key: null));
        Assert.Equal(503, await CreateAsync(client, "other"));
        Assert.Equal(503, await StatusAsync(client, Ready));
        Assert.Equal(200, await StatusAsync(client, Tasks));
        Assert.Empty(Directory.GetFiles(Store, "*", SearchOption.AllDirectories));
        // Another process may use the new one.
        using var second = Start(injection: null);
        using var other = await second.ClientAsync();
        Assert.Equal(201, await CreateAsync(other, key: null));
        Assert.Equal(503, await StatusAsync(client, Ready));
    }

    [Fact]
    public async Task A_full_disk_is_507_while_reads_and_deletes_go_on()
    {
        using var disk = Mount.Tmpfs(directory.File("store"), "512k");
        using var process = Start(injection: null);
        using var client = await process.ClientAsync();
        var status = 201;
        for (var tries = 0; status == 201 && tries < 1_000; tries++)
        {
            status = await CreateAsync(client, $"k{tries}");
        }
        Assert.Equal(507, status);
        using var list = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync(Tasks));
        var ids = list.RootElement.EnumerateObject().Select(task => task.Name).ToList();
        Assert.Equal(ids.Count, Directory.GetFiles(Store, "*.json").Length);
        Assert.InRange(ids.Count, 10, 200);
        Assert.Empty(Directory.GetFiles(Store, "*.tmp", SearchOption.AllDirectories));
        Assert.Equal(200, await StatusAsync(client, Ready));
        foreach (var id in ids.Take(5))
        {
            using var deleted = await client.DeleteAsync(new Uri($"/tasks/{id}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }
        Assert.Equal(201, await CreateAsync(client, key: "again"));
    }

    [Fact]
    public async Task A_file_system_that_is_read_only_is_an_exit_with_one_line()
    {
        using var disk = Mount.Tmpfs(directory.File("store"), "512k,ro");
        using var process = Start(injection: null);
        Assert.Equal(1, await process.ExitAsync());
        Assert.Contains("Read-only file system", Assert.Single(process.Errors), StringComparison.Ordinal);
    }

    private static async Task<int> StatusAsync(HttpClient client, Uri path)
    {
        using var answer = await client.GetAsync(path);
        return (int)answer.StatusCode;
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient client, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Tasks);
        request.Content = RunningService.Json(Some.TaskJson);
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }
        return await client.SendAsync(request);
    }

    private static async Task<int> CreateAsync(HttpClient client, string? key)
    {
        using var answer = await PostAsync(client, key);
        return (int)answer.StatusCode;
    }

    private static async Task<Uri> LocationAsync(HttpClient client)
    {
        using var answer = await PostAsync(client, "k");
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return answer.Headers.Location!;
    }

    private ServiceProcess Start(string? injection, params string[] onlyOn)
    {
        string[] args = ["-c", "c.yaml", "-p", "0"];
        return injection is null
            ? ServiceProcess.Start(directory.Path, args)
            : ServiceProcess.StartInjected(injection, directory.Path, args, onlyOn);
    }
}
