using System.Diagnostics;
using System.Net;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>Whatever operators do meanwhile, requests are answered as ever.</summary>
[Trait("Suite", "long")]
public sealed class OperationsUnderLoadTests(ITestOutputHelper output)
{
    private const string Secret = "the-secret-of-everything";
    private const int Clients = 16;

    [Fact]
    public async Task No_request_fails_while_operators_change_and_look_at_everything()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("c.yaml"), $$"""
            service: { address: 127.0.0.1, port: 0 }
            task-db: { sqlite: tasks.db }
            operations: { secret: "{{Secret}}" }
            """);
        using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml");
        var address = await process.ListeningAsync();
        var requests = TestRoot.Scale(2_000, 100_000);
        await LoadAsync(address, requests / 10);
        var alone = await LoadAsync(address, requests);
        var operators = OperateAsync(address, TestRoot.Scale(20, 1_000));
        var together = new List<double>();
        // As long as the operators are busy, and as many as asked for.
        while (together.Count < requests || !operators.IsCompleted)
        {
            together.AddRange(await LoadAsync(address, Math.Min(requests, 1_000)));
        }
        var done = await operators;
        output.WriteLine(
            $"{together.Count} requests, none failed, beside {done}; p99 {P99(together):0.0} ms, "
            + $"alone {P99(alone):0.0} ms");
        Assert.DoesNotContain(process.Output, line => line.Contains("status=5", StringComparison.Ordinal));
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
    }

    /// <summary>Switches levels, and everything else a tenth as often.</summary>
    /// <returns>What was done.</returns>
    private static async Task<string> OperateAsync(Uri address, int switches)
    {
        using var client = new HttpClient { BaseAddress = new Uri(address, "/ops/"), Timeout = Until.Limit };
        client.DefaultRequestHeaders.Add("X-API-Key", Secret);
        var rare = 0;
        for (var i = 0; i < switches; i++)
        {
            var level = i % 2 == 0 ? "DEBUG" : "INFO";
            await SendAsync(HttpMethod.Put, $"logging/level?name=taskservice&level={level}");
            if (i % 10 == 0)
            {
                await SendAsync(HttpMethod.Put, $"sql_profiler?enable={rare % 2}");
                await SendAsync(HttpMethod.Get, "debug/stacks");
                await SendAsync(HttpMethod.Get, "debug/memory");
                await SendAsync(HttpMethod.Get, "metrics");
                await SendAsync(HttpMethod.Get, $"stats.json?reset={rare++ % 2}");
                await SendAsync(HttpMethod.Get, "requests.json");
                await SendAsync(HttpMethod.Get, "health_check?max_level=100");
            }
        }
        return $"{switches} switches of levels and {rare} of the profiler, stacks, metrics and health";

        async Task SendAsync(HttpMethod method, string path)
        {
            using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
            using var response = await client.SendAsync(request);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{method} {path}: {(int)response.StatusCode}");
        }
    }

    /// <returns>How long each took, in milliseconds.</returns>
    private static async Task<IReadOnlyList<double>> LoadAsync(Uri address, int requests)
    {
        using var client = new HttpClient { BaseAddress = address, Timeout = Until.Limit };
        using var created = await client.PostAsync(
            new Uri("/tasks", UriKind.Relative), RunningService.Json(Some.TaskJson));
        var path = created.Headers.Location!;
        var left = requests;
        var all = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            var times = new List<double>();
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var started = Stopwatch.GetTimestamp();
                using var response = await client.GetAsync(path);
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            }
            return times;
        }));
        return [.. all.SelectMany(times => times)];
    }

    private static double P99(IEnumerable<double> times)
    {
        var sorted = times.Order().ToList();
        return sorted[(int)(sorted.Count * 0.99)];
    }
}
