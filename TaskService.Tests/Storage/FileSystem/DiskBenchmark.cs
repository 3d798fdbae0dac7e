using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Storage.FileSystem;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.FileSystem;

/// <summary>
/// Figures, not tests; they run only when they are asked for:
/// <c>dotnet test -c Release --filter DiskBenchmark --logger "console;verbosity=detailed" -- xUnit.Explicit=only</c>.
/// </summary>
public sealed class DiskBenchmark : IDisposable
{
    private const int Rounds = 7;
    private const int Seconds = 3;

    private readonly TemporaryDirectory directory = new();
    private readonly ITestOutputHelper output = TestContext.Current.TestOutputHelper!;
    private int fresh;

    private static CancellationToken Cancel => CancellationToken.None;

    public void Dispose() => directory.Dispose();

    [Theory(Explicit = true)]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    public async Task Creates_a_second_beside_a_loop_in_c_on_the_same_disk(int writers)
    {
        var loop = directory.File("disk-loop");
        var source = TestRoot.File("TaskService.Tests", "Storage", "FileSystem", "disk-loop.c");
        await RunAsync("cc", "-O2", "-pthread", "-o", loop, source);
        var ratios = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            var inC = double.Parse(
                await RunAsync(loop, Fresh(), $"{writers}", $"{Seconds}"), CultureInfo.InvariantCulture);
            var store = await CreatesAsync(Fresh(), writers);
            ratios.Add(store / inC);
            output.WriteLine($"{writers} writers: C {inC:f0}/s, store {store:f0}/s, ratio {store / inC:f2}");
        }
        var median = ratios.Order().ElementAt(Rounds / 2);
        output.WriteLine($"{writers} writers: median ratio {median:f2}");
        Assert.NotEqual(0, median);
    }

    [Theory(Explicit = true)]
    [InlineData(10_000)]
    [InlineData(100_000)]
    public async Task Seconds_from_the_start_of_the_process_until_it_listens(int tasks)
    {
        var path = Fresh();
        for (var i = 0; i < tasks; i++)
        {
            await File.WriteAllTextAsync(Path.Combine(path, $"t{i}.json"), Some.TaskJson, Cancel);
        }
        await File.WriteAllTextAsync(directory.File("c.yaml"), $"task-db: {{ fs: '{path}' }}\n", Cancel);
        for (var round = 0; round < Rounds; round++)
        {
            var started = Stopwatch.GetTimestamp();
            using var process = ServiceProcess.Start(directory.Path, "-c", "c.yaml", "-p", "0");
            var address = await process.ListeningAsync();
            output.WriteLine($"{tasks} tasks: {Stopwatch.GetElapsedTime(started).TotalSeconds:f2} s");
            Assert.NotEqual(0, address.Port);
        }
    }

    private static async Task<double> CreatesAsync(string path, int writers)
    {
        await using var store = new TaskStore(new FileEngine(path, NullLogger<FileEngine>.Instance));
        await store.OpenAsync(Cancel);
        var (started, count) = (Stopwatch.GetTimestamp(), 0);
        await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started).TotalSeconds < Seconds)
            {
                Assert.Null(await store.CreateAsync(Some.Task(), null, Cancel));
                Interlocked.Increment(ref count);
            }
        })));
        return count / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<string> RunAsync(string command, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(command, args) { RedirectStandardOutput = true })!;
        var said = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        Assert.Equal(0, process.ExitCode);
        return said;
    }

    private string Fresh() => Directory.CreateDirectory(directory.File($"fresh-{fresh++}")).FullName;
}
