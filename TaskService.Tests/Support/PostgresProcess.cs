using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace TaskService.Tests.Support;

/// <summary>A program that runs as the user of PostgreSQL, which refuses to run as root.</summary>
internal sealed class PostgresProcess : IDisposable
{
    private readonly ConcurrentQueue<string> log = new();
    private readonly Process process;

    private PostgresProcess(ProcessStartInfo start)
    {
        process = Begin(start);
        process.ErrorDataReceived += (_, line) => log.Enqueue(line.Data ?? "");
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
    }

    /// <summary>The folder of the newest version's programs; null when there is none.</summary>
    public static string? Binaries { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").Select(version => $"{version}/bin")
            .Where(bin => File.Exists($"{bin}/postgres"))
            .OrderBy(bin => double.Parse(bin.Split('/')[^2], CultureInfo.InvariantCulture)).LastOrDefault()
        : null;

    public int Id => process.Id;

    public bool HasExited => process.HasExited;

    /// <summary>What it wrote to standard error.</summary>
    public string Log => string.Join('\n', log);

    private static string[] AsPostgres { get; } = Environment.IsPrivilegedProcess
        ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : ["env"];

    public static PostgresProcess Start(string directory, params IEnumerable<string> command) =>
        new(Info(directory, [.. AsPostgres, .. command]));

    /// <summary>Runs a program to its end, which must be a good one.</summary>
    public static Task RunAsync(params IEnumerable<string> command) => RunAsync(Info("/", [.. AsPostgres, .. command]));

    /// <summary>A directory that belongs to this user.</summary>
    public static async Task<TemporaryDirectory> DirectoryAsync()
    {
        var directory = new TemporaryDirectory();
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync(Info("/", ["chown", "postgres", directory.Path]));
        }
        return directory;
    }

    /// <summary>Sends a signal to a process and to its children.</summary>
    public static void SignalAll(int id, string name)
    {
        // The parent first: it would replace what ends. And its children are not found by it any more when it has.
        var children = Children(id).ToList();
        ServiceProcess.TrySignal(id, name);
        foreach (var child in children)
        {
            ServiceProcess.TrySignal(child, name);
        }
    }

    /// <summary>Waits until it has ended, and everything that it started and that writes where it does.</summary>
    public void WaitForExit() => process.WaitForExit();

    public void Dispose() => process.Dispose();

    private static ProcessStartInfo Info(string directory, string[] command) => new(command[0], command.Skip(1))
    {
        WorkingDirectory = directory,
        // Patroni writes there; root's is not this user's.
        Environment = { ["HOME"] = directory },
        RedirectStandardInput = true,
        RedirectStandardError = true,
        RedirectStandardOutput = true,
    };

    private static Process Begin(ProcessStartInfo start)
    {
        var process = Process.Start(start)!;
        // As a service manager starts it. A backend that waits for a standby when its postmaster dies goes on with what
        // is read here (SyncRepWaitForLSN gives the client up), and holds up the next start until that has an end.
        process.StandardInput.Close();
        return process;
    }

    private static async Task RunAsync(ProcessStartInfo start)
    {
        using var process = Begin(start);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        var command = string.Join(' ', start.ArgumentList.Prepend(start.FileName));
        Assert.True(process.ExitCode == 0, $"{command}:\n{await output}{errors}");
    }

    private static IEnumerable<int> Children(int parent)
    {
        foreach (var directory in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), out var id) && ParentOf(id) == parent)
            {
                yield return id;
            }
        }
    }

    private static int? ParentOf(int id)
    {
        try
        {
            // pid (name) state parent …
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return int.Parse(stat[(stat.LastIndexOf(')') + 1)..].Split(' ')[2], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return null;
        }
    }
}
