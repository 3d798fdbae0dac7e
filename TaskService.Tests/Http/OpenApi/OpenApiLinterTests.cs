using System.Diagnostics;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Http.OpenApi;

/// <summary>Linters that recommend rules for OpenAPI find nothing. npx downloads them.</summary>
[Trait("Suite", "template")]
public sealed class OpenApiLinterTests : IDisposable
{
    private static readonly TimeSpan TimeMax = TimeSpan.FromMinutes(5);

    private static readonly Uri Document = new("/openapi.json", UriKind.Relative);

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("@redocly/cli@2.77.0", "redocly lint openapi.json --extends=recommended")]
    [InlineData(
        "@stoplight/spectral-cli@6.16.3", "spectral lint openapi.json --ruleset rules.yaml --fail-severity=hint")]
    public async Task A_linter_finds_no_error_and_no_warning(string package, string command)
    {
        await File.WriteAllTextAsync(directory.File("rules.yaml"), """extends: ["spectral:oas"]""");
        await using (var service = await RunningService.StartAsync())
        {
            await AssertCleanAsync(package, command, await service.Client.GetStringAsync(Document));
        }
        await using var team = await TeamEndpointTests.StartAsync();
        await AssertCleanAsync(package, command, (await team.GetAsync("/openapi.json")).Body);
    }

    private async Task AssertCleanAsync(string package, string command, string document)
    {
        await File.WriteAllTextAsync(directory.File("openapi.json"), document);
        var start = new ProcessStartInfo("npx", ["--yes", "--package", package, "--", .. command.Split(' ')])
        {
            WorkingDirectory = directory.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["REDOCLY_TELEMETRY"] = "off";
        start.Environment["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true";
        using var process = Start(start);
        using var cancel = new CancellationTokenSource(TimeMax);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancel.Token);
            var errors = process.StandardError.ReadToEndAsync(cancel.Token);
            await process.WaitForExitAsync(cancel.Token);
            var text = await output + await errors;
            Assert.True(process.ExitCode == 0, $"{command} ended with {process.ExitCode}:\n{text}");
            Assert.False(
                Regex.IsMatch(text, @"(?i)\bwarning was generated|\b[1-9]\d* (warning|problem)"),
                $"{command} has something to say:\n{text}");
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            Assert.Skip($"this machine does not let tests run linters: npx of Node.js is missing ({error.Message})");
            throw;
        }
    }
}
