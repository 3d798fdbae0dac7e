using System.Net;
using System.Net.Sockets;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>
/// The service is killed, at any time and at every system call that matters, and started again: what it acknowledged
/// is there, what it did not may be there or not, and a retry makes nothing twice.
/// </summary>
[Trait("Suite", "long")]
public sealed class KillTests : IDisposable
{
    private const int Writers = 8;
    private static readonly Uri Tasks = new("/tasks", UriKind.Relative);

    private readonly TemporaryDirectory directory = new();

    public KillTests() => File.WriteAllText(directory.File("c.yaml"), "task-db: { fs: store }\n");

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
            await AssertRightAsync(ledger, process, client);
            var enough = ledger.Acknowledged + Random.Shared.Next(1, 200);
            var writers = ledger.WriteAsync(client, Writers);
            await Until.TrueAsync(() => ledger.Acknowledged >= enough, "acknowledged changes");
            process.Kill();
            await writers;
        }
        using var last = Start();
        using var lastHttp = await last.ClientAsync();
        await AssertRightAsync(ledger, last, new LedgerClient(lastHttp));
        TestContext.Current.SendDiagnosticMessage($"{rounds} kills, {ledger.Acknowledged} changes acknowledged");
    }

    [Theory]
    [InlineData("pwrite64", 3)]
    [InlineData("fsync", 8)]
    [InlineData("?rename,?renameat", 4)]
    [InlineData("?unlink,?unlinkat", 1)]
    public async Task A_kill_at_any_step_leaves_a_change_atomic_and_a_retry_applies_it_once(
        string call, int steps)
    {
        // A create with a key, an update, a delete, and the create again: each step of each, or one of them.
        // There already, so that the start has nothing to sync.
        Directory.CreateDirectory(directory.File("store/.keys"));
        for (var step = TestRoot.Scale(steps, 1); step <= steps; step++)
        {
            var script = new Script($"key-{step}");
            using (var killed = Start($"{call}:signal=SIGKILL:when={step}"))
            {
                using var http = await killed.ClientAsync();
                Assert.False(await script.RunAsync(http), $"no {call} number {step}");
                await killed.ExitAsync();
            }
            using var again = Start();
            using var retry = await again.ClientAsync();
            Assert.DoesNotContain(again.Output, line => line.Contains("not touched", StringComparison.Ordinal));
            Assert.True(await script.RunAsync(retry), "the script ends after the restart");
            Assert.Equal("{}", await retry.GetStringAsync(Tasks));
            Assert.Empty(Directory.GetFiles(directory.File("store"), "*.tmp", SearchOption.AllDirectories));
            again.Kill();
        }
    }

    [Fact]
    public async Task A_kill_during_the_cleanup_at_the_start_loses_nothing()
    {
        var store = directory.File("store");
        Directory.CreateDirectory(Path.Combine(store, ".keys"));
        await File.WriteAllTextAsync(Path.Combine(store, "a.json"), Some.TaskJson);
        var starts = 0;
        // What two writes and two creates that never ended leave behind.
        string[] leftovers = [".a.json.1.tmp", ".b.json.2.tmp", ".keys/.c.pending.1.tmp", ".keys/d.pending"];
        foreach (var name in leftovers)
        {
            await File.WriteAllTextAsync(
                Path.Combine(store, name),
                """{"Key":"k","BodyHash":"0","TaskId":"d","Version":"0","Created":"2026-11-21T00:00:00Z"}""");
        }
        while (leftovers.Any(name => File.Exists(Path.Combine(store, name))))
        {
            // One goes at each start, and at the second the process is killed.
            using var killed = Start("?unlink,?unlinkat:signal=SIGKILL:when=2");
            if (++starts == leftovers.Length)
            {
                // Nothing is left for a second one.
                _ = await killed.ListeningAsync();
                killed.Kill();
                break;
            }
            Assert.Equal(137, await killed.ExitAsync());
        }
        Assert.DoesNotContain(leftovers, name => File.Exists(Path.Combine(store, name)));
        using var process = Start();
        using var http = await process.ClientAsync();
        Assert.StartsWith("""{"a":{""", await http.GetStringAsync(Tasks), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kill_while_it_creates_its_directories_does_not_prevent_a_start()
    {
        for (var step = 1; step <= 2; step++)
        {
            using var killed = Start($"fsync:signal=SIGKILL:when={step}");
            Assert.Equal(137, await killed.ExitAsync());
            Directory.Delete(directory.File("store"), recursive: true);
        }
        using var process = Start();
        using var http = await process.ClientAsync();
        Assert.Equal("{}", await http.GetStringAsync(Tasks));
    }

    private static async Task AssertRightAsync(Ledger ledger, ServiceProcess process, LedgerClient client)
    {
        var found = await client.ListAsync();
        var wrong = ledger.Check(found);
        wrong.AddRange(process.Output.Where(line => line.Contains("not touched", StringComparison.Ordinal)));
        wrong.AddRange(await ledger.RetryAsync(client, found));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private ServiceProcess Start(string? injection = null)
    {
        string[] args = ["-c", "c.yaml", "-p", "0"];
        return injection is null
            ? ServiceProcess.Start(directory.Path, args)
            : ServiceProcess.StartInjected(injection, directory.Path, args);
    }

    /// <summary>A client that goes on where it had no answer.</summary>
    private sealed class Script(string key)
    {
        private string? path;
        private int step;

        /// <returns>False when there was no answer.</returns>
        public async Task<bool> RunAsync(HttpClient http)
        {
            if (path is not null)
            {
                // The update may have been made, or not; the delete as well.
                var title = await TitleAsync(http);
                string?[] allowed = step switch { 0 => ["a"], 1 => ["a", "b"], 2 => ["b", null], _ => [null] };
                Assert.Contains(title, allowed);
            }
            try
            {
                for (; step < 4; step++)
                {
                    using var answer = await StepAsync(http);
                    if (step is 0 or 3)
                    {
                        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
                        Assert.Equal(path ?? answer.Headers.Location!.OriginalString,
                            answer.Headers.Location!.OriginalString);
                        path = answer.Headers.Location.OriginalString;
                    }
                    else
                    {
                        // Deleted before the kill, without an answer.
                        Assert.True(answer.IsSuccessStatusCode || (step == 2 && (int)answer.StatusCode == 404));
                    }
                }
                return true;
            }
            catch (Exception error) when (error is HttpRequestException or SocketException)
            {
                // The second is what a connection ends with that is reset as it is made.
                return false;
            }
        }

        private async Task<HttpResponseMessage> StepAsync(HttpClient http)
        {
            using var request = new HttpRequestMessage(
                step switch { 1 => HttpMethod.Put, 2 => HttpMethod.Delete, _ => HttpMethod.Post },
                step is 0 or 3 ? Tasks : new Uri(path!, UriKind.Relative));
            request.Content = step == 2 ? null : RunningService.Json($$"""{"title":"{{(step == 1 ? "b" : "a")}}"}""");
            if (step is 0 or 3)
            {
                request.Headers.Add("Idempotency-Key", key);
            }
            return await http.SendAsync(request);
        }

        private async Task<string?> TitleAsync(HttpClient http)
        {
            using var answer = await http.GetAsync(new Uri(path!, UriKind.Relative));
            return answer.StatusCode == HttpStatusCode.NotFound
                ? null
                : System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync())
                    .RootElement.GetProperty("title").GetString();
        }
    }
}
