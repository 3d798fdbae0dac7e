using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace TaskService.Benchmarks.Load;

/// <summary>What came of one burst of load. Latencies are in microseconds.</summary>
internal sealed record Shot(long Requests, double Seconds, long Failed, double P50, double P99, double P999)
{
    private const string Report = """
        done = function(summary, latency)
          local e = summary.errors
          io.write(string.format("@@ %d %d %d %.0f %.0f %.0f\n", summary.requests, summary.duration,
            e.connect + e.read + e.write + e.status + e.timeout,
            latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
        end
        """;

    /// <summary>Of the service's processor.</summary>
    public double ProcessorMicroseconds { get; init; }

    public double PerSecond => Requests / Seconds;

    /// <summary>Fires for so long, with wrk where it is installed, else with a client of our own.</summary>
    public static async Task<Shot> FireAsync(MeasuredService service, string work, int connections, int seconds)
    {
        var before = service.ProcessorTime;
        var shot = File.Exists("/usr/bin/wrk")
            ? await WrkAsync(service, work, connections, seconds)
            : await ClientAsync(service, work, connections, seconds);
        var used = service.ProcessorTime - before;
        return shot with { ProcessorMicroseconds = used.TotalMicroseconds / Math.Max(1, shot.Requests) };
    }

    /// <summary>What came of requests that took so many microseconds each.</summary>
    public static Shot Of(double[] times, long failed, long started)
    {
        Array.Sort(times);
        double At(double part) => times.Length == 0 ? 0 : times[(int)(part * (times.Length - 1))];
        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new Shot(times.Length, elapsed, failed, At(0.5), At(0.99), At(0.999));
    }

    private static (string Method, string Path) RequestOf(MeasuredService service, string work) => work switch
    {
        "get" => ("GET", service.TaskPath),
        "put" => ("PUT", service.TaskPath),
        "post" => ("POST", "/tasks"),
        _ => ("GET", "/tasks"),
    };

    private static async Task<Shot> WrkAsync(MeasuredService service, string work, int connections, int seconds)
    {
        var (method, path) = RequestOf(service, work);
        var script = Path.GetTempFileName();
        await File.WriteAllTextAsync(script, method == "GET" ? Report : $"""
            wrk.method = "{method}"
            wrk.headers["Content-Type"] = "application/json"
            wrk.body = '{MeasuredService.Body}'
            {Report}
            """);
        var start = MeasuredService.Pinned(1, ["/usr/bin/wrk", "-t1", $"-c{connections}", $"-d{seconds}s",
            "--timeout", "60s", "-s", script, new Uri(service.Address, path).ToString()]);
        start.RedirectStandardOutput = true;
        using var wrk = Process.Start(start)!;
        var said = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        File.Delete(script);
        var found = Regex.Match(said, "@@ ([0-9. ]+)");
        if (!found.Success)
        {
            throw new InvalidOperationException($"wrk said nothing to go by: {said}");
        }
        var numbers = found.Groups[1].Value.Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture));
        return numbers.ToArray() is [var requests, var us, var failed, var p50, var p99, var p999]
            ? new Shot((long)requests, us / 1e6, (long)failed, p50, p99, p999)
            : throw new InvalidOperationException($"wrk said {found.Value}");
    }

    private static async Task<Shot> ClientAsync(MeasuredService service, string work, int connections, int seconds)
    {
        var (method, path) = RequestOf(service, work);
        using var client = new HttpClient { BaseAddress = service.Address };
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var started = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
        {
            var (times, failed) = (new List<double>(), 0L);
            while (!end.IsCancellationRequested)
            {
                var at = Stopwatch.GetTimestamp();
                using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative))
                {
                    Content = method == "GET" ? null : MeasuredService.NewBody(),
                };
                using var response = await client.SendAsync(request);
                failed += response.IsSuccessStatusCode ? 0 : 1;
                times.Add(Stopwatch.GetElapsedTime(at).TotalMicroseconds);
            }
            return (times, failed);
        })));
        return Of([.. all.SelectMany(one => one.times)], all.Sum(one => one.failed), started);
    }
}
