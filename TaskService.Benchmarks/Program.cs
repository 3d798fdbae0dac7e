using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using TaskService.Benchmarks.Load;

namespace TaskService.Benchmarks;

/// <summary>The verbs <c>bench</c>, <c>exporters</c>, <c>telemetry</c>, <c>micro</c> and <c>profile</c>.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        try
        {
            return args switch
            {
                ["bench", .. var rest] => await MeasureAsync(LoadBenchmark.RunAsync, rest),
                ["exporters", .. var rest] => await MeasureAsync(ExporterFaults.RunAsync, rest),
                ["telemetry", .. var rest] => await MeasureAsync(TelemetryCost.RunAsync, rest),
                ["profile", .. var rest] => await MeasureAsync(Profile.RunAsync, rest),
                ["micro", .. var rest] => Micro(rest),
                _ => throw new ArgumentException("the first argument is bench, exporters, telemetry, profile or micro"),
            };
        }
        catch (Exception error) when (error is ArgumentException or IOException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"bench: {error.Message}");
            return error is ArgumentException ? 2 : 1;
        }
    }

    private static Task<int> MeasureAsync(Func<LoadOptions, Task<int>> measure, string[] args)
    {
        var options = LoadOptions.Parse(args);
        return measure(options with { Services = ServiceBuild.Run(options.Compare) });
    }

    private static int Micro(string[] args)
    {
        var config = DefaultConfig.Instance.WithArtifactsPath(Path.Combine("artifacts", "micro"));
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly)
            .Run(args.Length == 0 ? ["--filter", "*"] : args, config);
        return 0;
    }
}
