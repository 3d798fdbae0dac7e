using System.Net;
using System.Net.Sockets;

namespace TaskService.Benchmarks.Load;

/// <summary>What telemetry costs a read, beside a service without it, in alternating shots at full load.</summary>
internal static class TelemetryCost
{
    private const int FirstPort = 18_200;
    private const int ReceiverPort = FirstPort + 20;
    private const string Statistics = "telemetry:\n  statistics: true\n";
    private static readonly string Statsd = $$"""
          exporters:
            numbers: { type: statsd, address: '127.0.0.1:{{ReceiverPort}}' }

        """;

    private static readonly (string Name, string Settings)[] Kinds =
    [
        ("off", "telemetry: { statistics: false }"),
        ("statistics", Statistics),
        ("operations", "operations: { secret: the-secret-of-everything }"),
        ("statistics, statsd", Statistics + Statsd),
        ("statistics, statsd, otlp", Statistics + Traces("")),
        ("the same, own meters only", Statistics + Traces(", meters: [TaskService]")),
    ];

    public static async Task<int> RunAsync(LoadOptions options)
    {
        ExporterFaults.LeaveFirstProcessor();
        // What it does not read, the system drops.
        using var statsd = new UdpClient(new IPEndPoint(IPAddress.Loopback, ReceiverPort));
        await ExporterFaults.AnswerAsync(ReceiverPort, "200 OK", TimeSpan.Zero);
        var services = new List<MeasuredService>();
        try
        {
            foreach (var (_, settings) in Kinds)
            {
                var port = FirstPort + services.Count;
                services.Add(await MeasuredService.StartAsync(options.Services[0], port, options.Tasks, settings));
                await FireAsync(services[^1], options, options.WarmSeconds);
            }
            return await MeasureAsync(services, options) == 0 ? 0 : 1;
        }
        finally
        {
            services.ForEach(service => service.Dispose());
        }
    }

    private static string Traces(string meters) =>
        $"  trace-probability: 0.01\n{Statsd}"
            + $"    collector: {{ type: otlp, endpoint: 'http://127.0.0.1:{ReceiverPort}'{meters} }}\n";

    private static Task<Shot> FireAsync(MeasuredService service, LoadOptions options, int seconds) =>
        Shot.FireAsync(service, "get", options.Connections, seconds);

    private static async Task<long> MeasureAsync(List<MeasuredService> services, LoadOptions options)
    {
        var rounds = new List<List<Shot>>();
        for (var round = 0; round < options.Shots; round++)
        {
            rounds.Add([]);
            foreach (var service in services)
            {
                rounds[^1].Add(await FireAsync(service, options, options.Seconds));
            }
        }
        Console.WriteLine($"GET, {options.Connections} connections, 0.01 of the traces recorded, {options.Shots} shots "
            + $"of {options.Seconds} s after {options.WarmSeconds} s of warming up, medians\n"
            + "| telemetry | requests/s | ratio | CPU us/request | ratio | failed |\n|---|---|---|---|---|---|");
        foreach (var (i, (name, _)) in Kinds.Index())
        {
            double Of(Func<Shot, Shot, double> value) =>
                LoadBenchmark.Median(rounds.Select(round => value(round[i], round[0])));
            Console.WriteLine($"| {name} | {Of((shot, _) => shot.PerSecond):F0} "
                + $"| {Of((shot, off) => shot.PerSecond / off.PerSecond):F3} "
                + $"| {Of((shot, _) => shot.ProcessorMicroseconds):F2} "
                + $"| {Of((shot, off) => off.ProcessorMicroseconds / shot.ProcessorMicroseconds):F3} "
                + $"| {rounds.Sum(round => round[i].Failed)} |");
        }
        return rounds.SelectMany(round => round).Sum(shot => shot.Failed);
    }
}
