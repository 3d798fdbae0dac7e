using System.Diagnostics;

namespace TaskService.Tests.Support;

/// <summary>
/// Real programs that a test starts together, such as the service, a database and a balancer, each on a port of its
/// own. They end with it, and with the tests however these end. Their logs are in the output of the test.
/// </summary>
internal sealed class Composition : IDisposable
{
    private readonly TemporaryDirectory directory = new();
    private readonly List<ReservedPort> ports = [];
    private readonly List<PostgresServer> databases = [];
    private readonly List<ComposedProgram> programs = [];

    /// <summary>Of all programs, gone afterwards.</summary>
    public string Directory => directory.Path;

    /// <summary>A port that nobody else gets, also while its program is down.</summary>
    public int ReservePort()
    {
        ports.Add(new ReservedPort());
        return ports[^1].Number;
    }

    /// <summary>Writes a file for the programs.</summary>
    /// <returns>Its path.</returns>
    public string AddFile(string name, string text)
    {
        File.WriteAllText(directory.File(name), text);
        return directory.File(name);
    }

    /// <summary>A PostgreSQL server without data.</summary>
    public async Task<PostgresServer> StartPostgresAsync()
    {
        databases.Add(await PostgresServer.StartAsync());
        return databases[^1];
    }

    /// <summary>Starts the service, and waits until it is ready.</summary>
    /// <param name="name">Of its log and its configuration.</param>
    /// <param name="yaml">Its configuration; the port is added.</param>
    public Task<ComposedProgram> StartServiceAsync(string name, string yaml)
    {
        var config = AddFile($"{name}.yaml", yaml);
        return StartAsync(
            name, "/health/ready", port => [ServiceProcess.Binary, "--config", config, "--port", $"{port}"]);
    }

    /// <summary>Starts a program, and waits until it is ready.</summary>
    /// <param name="name">Of its log.</param>
    /// <param name="readyPath">It is ready when this answers 200.</param>
    /// <param name="command">The program and its arguments, for a port.</param>
    public async Task<ComposedProgram> StartAsync(string name, string readyPath, Func<int, string[]> command)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs setsid (Linux)");
        var port = ReservePort();
        var program = new ComposedProgram(
            name, new Uri($"http://127.0.0.1:{port}"), readyPath, directory.Path, command(port));
        programs.Add(program);
        await program.StartAsync();
        return program;
    }

    public void Dispose()
    {
        // The last one first: it may use the others.
        foreach (var program in Enumerable.Reverse(programs))
        {
            program.Dispose();
            if (TestContext.Current.TestOutputHelper is { } output)
            {
                output.WriteLine($"--- {program.Name}\n{program.Log}");
            }
        }
        databases.ForEach(database => database.Dispose());
        ports.ForEach(port => port.Dispose());
        directory.Dispose();
    }
}

/// <summary>A program of a <see cref="Composition"/>, which can be started again on the same port.</summary>
/// <param name="name">Of its log.</param>
/// <param name="url">Where it listens.</param>
/// <param name="readyPath">It is ready when this answers 200.</param>
/// <param name="directory">It works there.</param>
/// <param name="command">The program and its arguments.</param>
internal sealed class ComposedProgram(string name, Uri url, string readyPath, string directory, string[] command)
    : IDisposable
{
    private static readonly HttpClient Client = new() { Timeout = TimeSpan.FromSeconds(5) };

    private readonly List<ServiceProcess> processes = [];
    private ProcessGuard? guard;

    public string Name => name;

    public Uri Url => url;

    /// <summary>Of the process that was started last.</summary>
    public int Id => processes[^1].Id;

    /// <summary>What it has written, over all of its starts.</summary>
    public string Log =>
        string.Join('\n', processes.SelectMany(process => process.Output.Concat(process.Errors)));

    /// <summary>Starts it, for the first time or after <see cref="StopAsync"/>, and waits until it is ready.</summary>
    public async Task StartAsync()
    {
        var process = ServiceProcess.StartGroup(directory, [], command);
        processes.Add(process);
        guard = new ProcessGuard(process.Id);
        await Until.TrueAsync(
            () =>
            {
                Assert.False(process.HasExited, $"{name} has ended:\n{Log}");
                return IsReady();
            },
            $"{new Uri(url, readyPath)} to answer 200", () => Log);
    }

    /// <summary>Whether it answers as ready, for who waits for that with <see cref="Until"/>.</summary>
    public bool IsReady()
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url, readyPath));
            using var response = Client.Send(request);
            return (int)response.StatusCode == 200;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            // It does not listen, or not any more.
            return false;
        }
    }

    /// <summary>Sends a signal to it alone, and waits for its end.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync(string signal = "TERM")
    {
        processes[^1].Signal(signal);
        var exitCode = await processes[^1].ExitAsync();
        guard!.Dispose();
        return exitCode;
    }

    public void Dispose()
    {
        guard?.Dispose();
        processes.ForEach(process => process.Dispose());
    }
}

/// <summary>
/// Ends a group of processes when it is disposed of, and when the tests end in whatever way, be it by SIGKILL: a shell
/// waits for the end of its input, which the system closes.
/// </summary>
internal sealed class ProcessGuard : IDisposable
{
    private readonly Process shell;

    /// <param name="group">The id of its first process.</param>
    public ProcessGuard(int group)
    {
        string[] command = ["/bin/sh", "-c", $"read -r _; kill -KILL -- -{group}"];
        // In a session of its own, so that the interrupt of a terminal does not end it first.
        shell = Process.Start(new ProcessStartInfo("setsid", command)
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        })!;
    }

    public void Dispose()
    {
        if (!shell.HasExited)
        {
            shell.StandardInput.Close();
            shell.WaitForExit();
        }
    }
}
