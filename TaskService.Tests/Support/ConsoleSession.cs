using System.Diagnostics;
using System.Text.RegularExpressions;

namespace TaskService.Tests.Support;

/// <summary>
/// A session in a document: commands behind a dollar sign, each with the output that a reader is promised. It is run
/// word for word; only what differs each time (ids, dates, the port) may differ.
/// </summary>
internal sealed partial class ConsoleSession(
    string workingDirectory, Uri service, IReadOnlyDictionary<string, string>? environment = null)
{
    private readonly Dictionary<string, string> ids = [];

    /// <summary>The blocks marked <c>console</c> of a document.</summary>
    public static IReadOnlyList<string> BlocksOf(string document) =>
        [.. ConsoleBlock().Matches(document.ReplaceLineEndings("\n")).Select(match => match.Groups[1].Value)];

    /// <summary>Runs each command and compares its output.</summary>
    /// <returns>How many commands were run.</returns>
    public async Task<int> AssertAsync(string block)
    {
        var steps = block.Split("$ ", StringSplitOptions.RemoveEmptyEntries);
        foreach (var step in steps)
        {
            var end = step.IndexOf('\n', StringComparison.Ordinal);
            var (command, expected) = (step[..end], step[(end + 1)..]);
            var known = Id().Replace(command, match => ids.GetValueOrDefault(match.Value, match.Value));
            var actual = await RunAsync(known);
            Assert.Equal(Comparable(expected), Comparable(actual));
            Learn(expected, actual);
        }
        return steps.Length;
    }

    private static string Comparable(string output)
    {
        var lines = output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        return string.Join('\n', lines.Select(Mask));
    }

    // An ETag is the same for the same content, wherever it is.
    private static string Mask(string line) =>
        line.StartsWith("ETag: ", StringComparison.Ordinal) ? line : Id().Replace(Date().Replace(line, "Date: *"), "*");

    /// <summary>Which id of this run stands for which one of the document.</summary>
    private void Learn(string expected, string actual)
    {
        foreach (var (written, seen) in Id().Matches(expected).Zip(Id().Matches(actual)))
        {
            ids[written.Value] = seen.Value;
        }
    }

    private async Task<string> RunAsync(string command)
    {
        var start = new ProcessStartInfo("bash")
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }
        start.ArgumentList.Add("-c");
        var here = command.Replace("http://localhost:8080", service.OriginalString, StringComparison.Ordinal);
        start.ArgumentList.Add(here);
        using var process = System.Diagnostics.Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{command}: exit code {process.ExitCode}: {await errors}");
        return output;
    }

    [GeneratedRegex("```console\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ConsoleBlock();

    [GeneratedRegex("[0-9a-f]{32}")]
    private static partial Regex Id();

    [GeneratedRegex("^Date: .*$")]
    private static partial Regex Date();
}
