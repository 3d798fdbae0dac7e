namespace TaskService.Benchmarks.Load;

/// <summary>
/// Puts built services under load on the loopback, in alternating shots, since a machine that others use as well is
/// faster now and slower then: what counts is the ratio of two shots that follow each other.
/// </summary>
internal static class LoadBenchmark
{
    private const int FirstPort = 18_080;

    public static async Task<int> RunAsync(LoadOptions options)
    {
        Console.WriteLine($"{options.Tasks} tasks, {options.Connections} connections, {options.Shots} shots of "
            + $"{options.Seconds} s after {options.WarmSeconds} s of warming up, medians; wrk: "
            + (File.Exists("/usr/bin/wrk") ? "yes" : "no, our own client"));
        Console.WriteLine("| work | service | requests/s | ratio | p50 ms | p99 ms | p99.9 ms | CPU us/request "
            + "| bytes/request | RSS MiB | failed |\n|---|---|---|---|---|---|---|---|---|---|---|");
        var failed = 0L;
        foreach (var work in options.Work)
        {
            // Each work has services of its own: what one leaves behind is not what another finds.
            var services = new List<MeasuredService>();
            try
            {
                foreach (var directory in options.Services)
                {
                    var port = FirstPort + services.Count;
                    services.Add(await MeasuredService.StartAsync(directory, port, options.Tasks));
                }
                failed += await MeasureAsync(services, work, options);
            }
            finally
            {
                services.ForEach(service => service.Dispose());
            }
        }
        return failed == 0 ? 0 : 1;
    }

    private static async Task<long> MeasureAsync(List<MeasuredService> services, string work, LoadOptions options)
    {
        foreach (var service in services)
        {
            await Shot.FireAsync(service, work, options.Connections, options.WarmSeconds);
        }
        var shots = services.Select(_ => new List<Shot>()).ToList();
        for (var round = 0; round < options.Shots; round++)
        {
            foreach (var (index, service) in services.Index())
            {
                shots[index].Add(await Shot.FireAsync(service, work, options.Connections, options.Seconds));
            }
        }
        foreach (var (index, service) in services.Index())
        {
            // Apart from the others: to be told of it costs, too.
            await using var allocations = new Allocations(service.Id);
            var told = await Shot.FireAsync(service, work, options.Connections, seconds: 6);
            Print(work, service, shots[index], shots[^1], allocations.BytesPerSecond / told.PerSecond);
        }
        return shots.SelectMany(all => all).Sum(shot => shot.Failed);
    }

    private static void Print(
        string work, MeasuredService service, List<Shot> shots, List<Shot> others, double allocatedBytes)
    {
        double Of(Func<Shot, double> value) => Median(shots.Select(value));
        var ratio = Median(shots.Zip(others, (one, other) => one.PerSecond / other.PerSecond));
        Console.WriteLine($"| {work} | {service.Name} | {Of(shot => shot.PerSecond):F0} | {ratio:F3} "
            + $"| {Of(shot => shot.P50) / 1e3:F2} | {Of(shot => shot.P99) / 1e3:F2} "
            + $"| {Of(shot => shot.P999) / 1e3:F2} | {Of(shot => shot.ProcessorMicroseconds):F1} "
            + $"| {allocatedBytes:F0} | {service.MemoryBytes / 1024 / 1024} | {shots.Sum(shot => shot.Failed)} |");
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
