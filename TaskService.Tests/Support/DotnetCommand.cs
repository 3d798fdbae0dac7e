using System.Diagnostics;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>Runs <c>dotnet</c> as a user would from a shell of his own, and leaves no process behind.</summary>
internal static class DotnetCommand
{
    private static readonly TimeSpan TimeMax = TimeSpan.FromMinutes(15);

    public static string Path { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>What has to differ from the environment of the tests; null is for a variable to remove.</summary>
    public static IEnumerable<(string Name, string? Value)> Variables { get; } =
    [
        // The tests are run by MSBuild, whose variables would tell the one below where to find itself.
        .. Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase))
            .Select(name => (name, (string?)null)),
        // What --disable-build-servers says, for the commands that do not know it as well.
        ("MSBUILDDISABLENODEREUSE", "1"),
        ("DOTNET_CLI_USE_MSBUILD_SERVER", "0"),
        ("UseSharedCompilation", "false"),
        ("UseRazorBuildServer", "false"),
    ];

    /// <summary>Any exit code but 0 fails the test and shows what was written to both streams.</summary>
    public static Task AssertRunsAsync(string directory, params string[] arguments) =>
        AssertRunsAsync(directory, [], arguments);

    /// <summary>Any exit code but 0 fails the test and shows what was written to both streams.</summary>
    /// <returns>That.</returns>
    public static async Task<string> AssertRunsAsync(
        string directory, (string Name, string Value)[] environment, params string[] arguments)
    {
        var (exitCode, text) = await RunAsync(directory, environment, arguments);
        Assert.True(exitCode == 0, $"dotnet {string.Join(' ', arguments)} ended with {exitCode}:\n{text}");
        return text;
    }

    /// <summary>The exit code 0 fails the test.</summary>
    /// <returns>What was written to both streams.</returns>
    public static async Task<string> AssertFailsAsync(string directory, params string[] arguments)
    {
        var (exitCode, text) = await RunAsync(directory, [], arguments);
        Assert.True(exitCode != 0, $"dotnet {string.Join(' ', arguments)} did not fail:\n{text}");
        return text;
    }

    private static async Task<(int ExitCode, string Text)> RunAsync(
        string directory, (string Name, string Value)[] environment, string[] arguments)
    {
        using var process = new Process { StartInfo = StartInfo(directory, arguments) };
        foreach (var (name, value) in environment)
        {
            process.StartInfo.Environment[name] = value;
        }
        var output = new StringBuilder();
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var tooLate = new CancellationTokenSource(TimeMax);
        try
        {
            await process.WaitForExitAsync(tooLate.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"dotnet {string.Join(' ', arguments)} did not end within {TimeMax}:\n{Text()}");
        }
        return (process.ExitCode, Text());

        // After a kill the readers may still be at work.
        string Text()
        {
            lock (output)
            {
                return output.ToString();
            }
        }

        void Keep(object sender, DataReceivedEventArgs line)
        {
            lock (output)
            {
                output.AppendLine(line.Data);
            }
        }
    }

    private static ProcessStartInfo StartInfo(string directory, string[] arguments)
    {
        var start = new ProcessStartInfo(Path, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }
        return start;
    }
}
