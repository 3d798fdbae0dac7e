using System.Diagnostics;
using System.Text;

namespace TaskService.Tests.Support;

/// <summary>Runs <c>dotnet</c> as a user would from a shell of his own, and leaves no process behind.</summary>
internal static class DotnetCommand
{
    private static readonly TimeSpan TimeMax = TimeSpan.FromMinutes(15);

    /// <summary>Any exit code but 0 fails the test and shows what was written to both streams.</summary>
    public static Task AssertRunsAsync(string directory, params string[] arguments) =>
        AssertRunsAsync(directory, [], arguments);

    /// <summary>Any exit code but 0 fails the test and shows what was written to both streams.</summary>
    /// <returns>That.</returns>
    public static async Task<string> AssertRunsAsync(
        string directory, (string Name, string Value)[] environment, params string[] arguments)
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
            Assert.Fail($"{Command()} did not end within {TimeMax}:\n{Text()}");
        }
        Assert.True(process.ExitCode == 0, $"{Command()} ended with {process.ExitCode}:\n{Text()}");
        return Text();

        string Command() => $"dotnet {string.Join(' ', arguments)}";

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
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // The tests are run by MSBuild, whose variables would tell the one below where to find itself.
        var inherited = start.Environment.Keys.ToList();
        foreach (var name in inherited.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)))
        {
            start.Environment.Remove(name);
        }
        // What --disable-build-servers says, for the commands that do not know it as well.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["UseRazorBuildServer"] = "false";
        return start;
    }
}
