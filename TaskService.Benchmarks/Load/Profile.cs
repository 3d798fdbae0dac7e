using System.Diagnostics;
using System.Text.RegularExpressions;

namespace TaskService.Benchmarks.Load;

/// <summary>Where the time goes: samples of all stacks while there is load, by <c>dotnet-trace</c>.</summary>
internal static class Profile
{
    private static readonly Regex Waits = new(
        @"Wait|Missing Symbol|Spin|PollGC|Slowpath|WorkerThreadStart|SocketAsyncEngine\.EventLoop");

    public static async Task<int> RunAsync(LoadOptions options)
    {
        await RunAsync("tool", "restore", "-v", "quiet");
        using var service = await MeasuredService.StartAsync(options.Services[0], port: 18_080, options.Tasks);
        return await SampleAsync(service, options);
    }

    private static async Task<int> SampleAsync(MeasuredService service, LoadOptions options)
    {
        var folder = Directory.CreateDirectory(Path.Combine("artifacts", "profile")).FullName;
        var work = options.Work[0];
        await Shot.FireAsync(service, work, options.Connections, options.WarmSeconds);
        // The load outlasts the samples on both ends.
        var load = Shot.FireAsync(service, work, options.Connections, options.Seconds + 4);
        var trace = Path.Combine(folder, $"{work}.nettrace");
        var collected = await TraceAsync("collect", "-p", $"{service.Id}", "--profile", "dotnet-sampled-thread-time",
            "--duration", $"{TimeSpan.FromSeconds(options.Seconds):c}", "--format", "Speedscope", "-o", trace);
        await load;
        return collected.ExitCode == 0 ? await ReportAsync(trace) : collected.ExitCode;
    }

    private static async Task<int> ReportAsync(string trace)
    {
        var (exitCode, said) = await TraceAsync("report", trace, "topN", "-n", "60");
        // Threads that wait are sampled, too, and what is no managed code has no name.
        var hot = said.Split('\n').Where(line => line.Contains('%') && !Waits.IsMatch(line)).Take(10).ToList();
        Console.WriteLine($"{trace[..^".nettrace".Length]}.speedscope.json is for https://www.speedscope.app");
        Console.WriteLine("The ten hottest methods, without waiting and native code: inclusive, exclusive");
        hot.ForEach(line => Console.WriteLine(line[(line.IndexOf('.') + 1)..].TrimEnd()));
        return exitCode;
    }

    private static Task<(int ExitCode, string Said)> TraceAsync(params string[] args) =>
        RunAsync(["dotnet-trace", .. args]);

    private static async Task<(int ExitCode, string Said)> RunAsync(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", args) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, said);
    }
}
