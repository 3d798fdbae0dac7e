using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;
using TaskService.Benchmarks.Load;

namespace TaskService.Benchmarks;

/// <summary>What <c>run.cs bench</c>, <c>outlets</c>, <c>telemetry</c>, <c>micro</c> and <c>profile</c> call.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] args)
    {
        try
        {
            return args switch
            {
                ["load", .. var rest] => await LoadBenchmark.RunAsync(LoadOptions.Parse(rest)),
                ["outlets", .. var rest] => await OutletFaults.RunAsync(LoadOptions.Parse(rest)),
                ["telemetry", .. var rest] => await TelemetryCost.RunAsync(LoadOptions.Parse(rest)),
                ["profile", .. var rest] => await Profile.RunAsync(LoadOptions.Parse(rest)),
                ["micro", .. var rest] => Micro(rest),
                _ => throw new ArgumentException("the first argument is load, outlets, telemetry, profile or micro"),
            };
        }
        catch (Exception error) when (error is ArgumentException or IOException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"bench: {error.Message}");
            return error is ArgumentException ? 2 : 1;
        }
    }

    private static int Micro(string[] args)
    {
        var config = DefaultConfig.Instance.WithArtifactsPath(Path.Combine("artifacts", "micro"));
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly)
            .Run(args.Length == 0 ? ["--filter", "*"] : args, config);
        return 0;
    }
}
