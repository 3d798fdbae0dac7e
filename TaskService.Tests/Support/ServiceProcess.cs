using System.Collections.Concurrent;
using System.Diagnostics;

namespace TaskService.Tests.Support;

/// <summary>The real program in a process of its own, in a directory of its own.</summary>
internal sealed class ServiceProcess : IDisposable
{
    // A process inherits which signals are ignored: SIGINT of a job in the background, SIGHUP of nohup. GNU env resets
    // them; where env is a link to something else (BusyBox), they stay.
    private static readonly string[] WithDefaultSignals =
        OperatingSystem.IsLinux() && File.ResolveLinkTarget("/usr/bin/env", returnFinalTarget: false) is null
            ? ["/usr/bin/env", "--default-signal"] : [];

    private readonly Process process = new();
    private readonly ConcurrentQueue<string> output = new();
    private readonly ConcurrentQueue<string> errors = new();
    private readonly TaskCompletionSource outputEnd = new();
    private readonly TaskCompletionSource errorEnd = new();

    private ServiceProcess(
        string directory, string[] command, IEnumerable<(string Name, string? Value)> environment)
    {
        string[] words = [.. WithDefaultSignals, .. command];
        var start = process.StartInfo = new ProcessStartInfo(words[0], words.Skip(1))
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        process.OutputDataReceived += (_, line) => Take(line.Data, output, outputEnd);
        process.ErrorDataReceived += (_, line) => Take(line.Data, errors, errorEnd);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public IReadOnlyCollection<string> Output => output;

    public IReadOnlyCollection<string> Errors => errors;

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    public static string Binary { get; } = Path.Combine(
        AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "TaskService.exe" : "TaskService");

    public static ServiceProcess Start(string directory, params string[] args) =>
        new(directory, [Binary, .. args], []);

    /// <summary>
    /// Starts it so that the permissions of files count, also when root runs the tests: as the same user, but without
    /// the capabilities that pass over them.
    /// </summary>
    public static ServiceProcess StartUnprivileged(string directory, params string[] args)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess, "needs setpriv (Linux)");
        string[] drop = Environment.IsPrivilegedProcess
            ? ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"] : [];
        return new(directory, [.. drop, Binary, .. args], []);
    }

    /// <summary>
    /// Starts a shell with a script, in which <c>$SERVICE</c> is the program. <see cref="Signal"/> is for the shell.
    /// </summary>
    public static ServiceProcess StartShell(string directory, string script) =>
        new(directory, ["/bin/sh", "-c", script], [("SERVICE", Binary)]);

    /// <summary>
    /// Starts another program as the first of a group of processes, as a terminal does: a signal to the negative
    /// <see cref="Id"/> reaches all of them.
    /// </summary>
    public static ServiceProcess StartGroup(
        string directory, IEnumerable<(string Name, string? Value)> environment, params string[] command) =>
        new(directory, ["setsid", .. command], [.. environment, ("SERVICE", Binary)]);

    /// <summary>Starts it under strace, which makes system calls fail, wait or kill as <paramref name="injection"/>
    /// says.</summary>
    /// <param name="injection">As strace takes it, such as <c>fsync:error=EIO</c>.</param>
    /// <param name="directory">The working directory.</param>
    /// <param name="args">Of the service.</param>
    /// <param name="onlyOn">The files that it is for, when it is not for all.</param>
    public static ServiceProcess StartInjected(
        string injection, string directory, string[] args, params string[] onlyOn)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/strace"), "needs strace (apt-get install strace)");
        // The runtime's diagnostics have calls of their own.
        string[] strace = [
            "/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-E", "DOTNET_EnableDiagnostics=0",
            "-e", $"inject={injection}", .. onlyOn.SelectMany(file => new[] { "-P", file })];
        return new(directory, [.. strace, "-e", $"trace={injection.Split(':')[0]}", Binary, .. args], []);
    }

    /// <summary>Makes system calls of a program that runs already fail, until the answer is disposed of.</summary>
    /// <param name="injection">As strace takes it, such as <c>openat:error=EMFILE</c>.</param>
    public async Task<IDisposable> InjectAsync(string injection)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/strace"), "needs strace (apt-get install strace)");
        string[] attach = ["-f", "-o", "/dev/null", "-e", $"inject={injection}", "-p", $"{Id}"];
        var strace = new ServiceProcess(
            "/", ["/usr/bin/strace", .. attach, "-e", $"trace={injection.Split(':')[0]}"], []);
        await Until.TrueAsync(() => strace.Errors.Count > 0, "strace that has attached");
        var said = strace.Errors.First();
        Assert.SkipWhen(said.Contains("not permitted", StringComparison.Ordinal), said);
        Assert.Contains("attached", said, StringComparison.Ordinal);
        return strace;
    }

    public static ServiceProcess Start(
        string directory, (string Name, string? Value)[] environment, params string[] args) =>
        new(directory, [Binary, .. args], environment);

    /// <summary>Waits until it listens.</summary>
    /// <returns>The base address.</returns>
    public async Task<Uri> ListeningAsync()
    {
        var line = await Until.ResultAsync(
            () =>
            {
                Assert.False(process.HasExited && errorEnd.Task.IsCompleted, $"it ended: {string.Join('\n', errors)}");
                return output.FirstOrDefault(line => line.Contains("STARTING", StringComparison.Ordinal));
            },
            "the STARTING line");
        return new Uri($"http://127.0.0.1:{LogfmtLine.ParseBrief(line)["port"]}");
    }

    /// <summary>Waits until it listens.</summary>
    /// <returns>A client of it.</returns>
    public async Task<HttpClient> ClientAsync() =>
        new() { BaseAddress = await ListeningAsync(), Timeout = Until.Limit };

    /// <summary>Sends a signal by its name, such as TERM.</summary>
    public void Signal(string name) =>
        Assert.True(TrySignal(name), "the process has ended already");

    /// <returns>False when the process has ended already.</returns>
    public bool TrySignal(string name) => TrySignal(process.Id, name);

    /// <summary>Sends a signal to any process.</summary>
    /// <returns>False when there is none.</returns>
    public static bool TrySignal(int id, string name)
    {
        string[] args = [$"-{name}", "--", $"{id}"];
        using var kill = Process.Start(new ProcessStartInfo("kill", args) { RedirectStandardError = true })!;
        kill.WaitForExit();
        return kill.ExitCode == 0;
    }

    /// <summary>Waits for the end and for all output.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> ExitAsync()
    {
        using var limit = new CancellationTokenSource(Until.Limit);
        await process.WaitForExitAsync(limit.Token);
        await Task.WhenAll(outputEnd.Task, errorEnd.Task).WaitAsync(limit.Token);
        return process.ExitCode;
    }

    /// <summary>Ends it and what started it, at once.</summary>
    public void Kill()
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
    }

    public void Dispose()
    {
        Kill();
        TestLog.Show(string.Join(' ', process.StartInfo.ArgumentList.Prepend(process.StartInfo.FileName)), output);
        TestLog.Show("its standard error", errors);
        process.Dispose();
    }

    private static void Take(string? line, ConcurrentQueue<string> lines, TaskCompletionSource end)
    {
        if (line is null)
        {
            end.TrySetResult();
        }
        else
        {
            lines.Enqueue(line);
        }
    }
}
