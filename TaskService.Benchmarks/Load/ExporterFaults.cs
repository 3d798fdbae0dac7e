using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TaskService.Benchmarks.Load;

/// <summary>
/// How long requests take while exporters fail, beside a service without exporters, in alternating shots that leave
/// room on its processor: with a full one, the work of an exporter could not be told from its faults.
/// </summary>
internal static class ExporterFaults
{
    private const int Connections = 4;

    // How long that takes to find out is for the machine's resolver to say.
    private const string NoName = "no such name";

    private static readonly (string Name, Func<int, Task> Serve)[] Faults =
    [
        ("well", port => AnswerAsync(port, "200 OK", TimeSpan.Zero)),
        ("dead", _ => Task.CompletedTask),
        ("slow", port => AnswerAsync(port, "200 OK", TimeSpan.FromSeconds(3))),
        ("half-open", port => Task.FromResult(Listen(port))),
        ("429", port => AnswerAsync(port, "429 Too Many Requests", TimeSpan.Zero)),
        ("500", port => AnswerAsync(port, "500 Internal Server Error", TimeSpan.Zero)),
        (NoName, _ => Task.CompletedTask),
    ];

    public static async Task<int> RunAsync(LoadOptions options)
    {
        LeaveFirstProcessor();
        Console.WriteLine($"GET on {Connections} connections, one a millisecond each, every trace recorded, statsd "
            + $"and OTLP, {options.Shots} shots of {options.Seconds} s, medians\n"
            + "| receiver | requests/s | p50 ms | p99 ms | p99 ms without exporters | difference | RSS MiB | without "
            + "| failed |\n|---|---|---|---|---|---|---|---|---|");
        var failed = 0;
        for (var i = 0; i < Faults.Length; i++)
        {
            failed += await MeasureAsync(options, Faults[i], port: 18_100 + 10 * i);
        }
        return failed == 0 ? 0 : 1;
    }

    /// <summary>The service has that one.</summary>
    public static void LeaveFirstProcessor()
    {
        if (Environment.ProcessorCount > 1 && OperatingSystem.IsLinux())
        {
            Process.GetCurrentProcess().ProcessorAffinity = 2;
        }
    }

    private static async Task<int> MeasureAsync(
        LoadOptions options, (string Name, Func<int, Task> Serve) fault, int port)
    {
        await fault.Serve(port);
        using var without = await MeasuredService.StartAsync(options.Services[0], port + 1, options.Tasks);
        var host = fault.Name == NoName ? "collector.invalid" : "127.0.0.1";
        using var with = await MeasuredService.StartAsync(options.Services[0], port + 2, options.Tasks, $$"""
            telemetry:
              trace-probability: 1
              statistics: true
              exporters:
                collector: { type: otlp, endpoint: 'http://{{host}}:{{port}}', meters-interval-ms: 1000 }
                numbers: { type: statsd, address: '{{host}}:{{port}}', meters-interval-ms: 1000 }
            """);
        foreach (var service in new[] { without, with })
        {
            await FireAsync(service, options.WarmSeconds);
        }
        var shots = new List<(Shot With, Shot Without)>();
        for (var i = 0; i < options.Shots; i++)
        {
            var before = await FireAsync(without, options.Seconds);
            shots.Add((await FireAsync(with, options.Seconds), before));
        }
        double Of(Func<(Shot With, Shot Without), double> value) => LoadBenchmark.Median(shots.Select(value)) / 1e3;
        var failed = shots.Sum(shot => shot.With.Failed);
        Console.WriteLine($"| {fault.Name} | {Of(shot => shot.With.PerSecond * 1e3):F0} "
            + $"| {Of(shot => shot.With.P50):F2} | {Of(shot => shot.With.P99):F2} | {Of(shot => shot.Without.P99):F2} "
            + $"| {Of(shot => shot.With.P99 - shot.Without.P99):F2} "
            + $"| {with.MemoryBytes / 1024 / 1024} | {without.MemoryBytes / 1024 / 1024} | {failed} |");
        return (int)failed;
    }

    // Each connection waits for the next millisecond between an answer and the next question.
    private static async Task<Shot> FireAsync(MeasuredService service, int seconds)
    {
        var started = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            using var client = new HttpClient { BaseAddress = service.Address };
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
            var (times, failed) = (new List<double>(), 0);
            while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(seconds))
            {
                await timer.WaitForNextTickAsync();
                using var request = new HttpRequestMessage(HttpMethod.Get, service.TaskPath);
                var at = Stopwatch.GetTimestamp();
                using var response = await client.SendAsync(request);
                times.Add(Stopwatch.GetElapsedTime(at).TotalMicroseconds);
                failed += response.IsSuccessStatusCode ? 0 : 1;
            }
            return (times, failed);
        })));
        return Shot.Of([.. all.SelectMany(one => one.times)], all.Sum(one => one.failed), started);
    }

    private static TcpListener Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        return listener;
    }

    /// <summary>Answers all that comes to a port in the same way, until the process ends.</summary>
    public static Task AnswerAsync(int port, string status, TimeSpan delay)
    {
        var listener = Listen(port);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync();
                _ = ServeAsync(client, status, delay);
            }
        });
        return Task.CompletedTask;
    }

    // As much HTTP as the exporter needs: it sends no body without its length.
    private static async Task ServeAsync(TcpClient client, string status, TimeSpan delay)
    {
        using var _ = client;
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
        var buffer = new char[64 * 1024];
        while (await reader.ReadLineAsync() is not null)
        {
            var length = 0;
            while (await reader.ReadLineAsync() is { Length: > 0 } header)
            {
                if (header.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                {
                    length = int.Parse(header.AsSpan(15));
                }
            }
            for (var left = length; left > 0;)
            {
                left -= await reader.ReadAsync(buffer.AsMemory(0, Math.Min(left, buffer.Length)));
            }
            await Task.Delay(delay);
            var head = $"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n";
            await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(head));
        }
    }
}
