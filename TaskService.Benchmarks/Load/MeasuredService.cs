using System.Diagnostics;
using System.Text;

namespace TaskService.Benchmarks.Load;

/// <summary>A built service in a process of its own: tasks in memory, the canonical line in a file.</summary>
internal sealed class MeasuredService : IDisposable
{
    /// <summary>The tutorial's task, 162 bytes.</summary>
    public const string Body =
        """{"priority":"high","title":"Complete Chapter-2","description":"Complete Chapter-2 : Building and """
        + """Running a given service","completed":false,"due_date":1663738852}""";

    private readonly DirectoryInfo files = Directory.CreateTempSubdirectory("bench-");
    private readonly Process process;

    private MeasuredService(string directory, int port, string settings)
    {
        (Name, Address) = (Path.GetFileName(directory.TrimEnd('/')), new Uri($"http://127.0.0.1:{port}"));
        var config = Path.Combine(files.FullName, "config.yaml");
        File.WriteAllText(config, $$"""
            service: { address: 127.0.0.1, port: {{port}} }
            task-db: { memory: }
            logging:
              handlers: { file: { type: file, path: '{{files.FullName}}/service.log', format: logfmt } }
              loggers: { taskservice: { level: info, handlers: [file], propagate: false } }
              root: { level: warning, handlers: [file] }
            {{settings}}
            """);
        string[] command = ["dotnet", Path.Combine(directory, "TaskService.dll"), "-c", config];
        process = Process.Start(Pinned(0, command))!;
    }

    public string Name { get; }

    public Uri Address { get; }

    public int Id => process.Id;

    /// <summary>Of user and kernel together, since the start.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    public long MemoryBytes
    {
        get
        {
            process.Refresh();
            return process.WorkingSet64;
        }
    }

    /// <summary>The path of a task that is there.</summary>
    public string TaskPath { get; private set; } = "";

    public static ByteArrayContent NewBody()
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Body));
        content.Headers.ContentType = new("application/json");
        return content;
    }

    /// <summary>Starts it, waits until it listens, and stores tasks.</summary>
    public static async Task<MeasuredService> StartAsync(
        string directory, int port, int tasks, string settings = "")
    {
        var service = new MeasuredService(directory, port, settings);
        using var client = new HttpClient { BaseAddress = service.Address };
        await service.ListeningAsync(client);
        for (var i = 0; i < Math.Max(1, tasks); i++)
        {
            using var body = NewBody();
            using var response = await client.PostAsync(new Uri("/tasks", UriKind.Relative), body);
            service.TaskPath = response.Headers.Location!.OriginalString;
        }
        return service;
    }

    /// <summary>One processor for the service and another for the load, where there are two and Linux.</summary>
    public static ProcessStartInfo Pinned(int processor, IReadOnlyList<string> command)
    {
        var canPin = Environment.ProcessorCount > 1 && File.Exists("/usr/bin/taskset");
        string[] words = canPin ? ["/usr/bin/taskset", "-c", $"{processor}", .. command] : [.. command];
        return new ProcessStartInfo(words[0], words[1..]);
    }

    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        process.Dispose();
        files.Delete(recursive: true);
    }

    private async Task ListeningAsync(HttpClient client)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var response = await client.GetAsync(new Uri("/health/live", UriKind.Relative));
                return;
            }
            catch (HttpRequestException error) when (tries < 600 && !process.HasExited)
            {
                // It is not there yet.
                _ = error;
                await Task.Delay(50);
            }
        }
    }
}
