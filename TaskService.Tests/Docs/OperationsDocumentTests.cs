using System.Text.RegularExpressions;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The configuration of <c>docs/operations.md</c> is right, and its sessions are real.</summary>
[Trait("Suite", "integration")]
public sealed partial class OperationsDocumentTests
{
    private const string Secret = "the-secret-of-everything";

    private static readonly string Document =
        File.ReadAllText(TestRoot.File("docs", "operations.md")).ReplaceLineEndings("\n");

    [Fact]
    public void The_configuration_shown_is_right()
    {
        var blocks = YamlBlock().Matches(Document).Select(block => block.Groups[1].Value).ToList();
        Assert.Equal(2, blocks.Count);
        var secrets = new Dictionary<string, string> { ["OPS_SECRET"] = Secret, ["STATS_SECRET"] = $"{Secret}-2" };
        Assert.Equal(OperationsFeatures.All, Read(blocks[0]).Enabled);
        Assert.Equal(
            [HealthCheckKind.Url, HealthCheckKind.FreeSpace, HealthCheckKind.AtLeastOne],
            Read(blocks[1]).HealthChecks.Select(check => check.Kind));

        OperationsSettings Read(string yaml) => Settings.Read(
            "operations.md", $"{yaml}task-db: {{ memory: }}", secrets, new CommandLineOptions()).Settings.Operations;
    }

    [Fact]
    public async Task Its_sessions_run_word_for_word()
    {
        using var directory = new TemporaryDirectory();
        await using var service = await RunningService.StartAsync(operations: $"secret: {Secret}");
        var session = new ConsoleSession(
            directory.Path,
            new Uri($"http://localhost:{service.Port}"),
            new Dictionary<string, string>
            {
                ["OPS_SECRET"] = Secret,
                ["PATH"] = $"{AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}",
            });
        foreach (var block in ConsoleSession.BlocksOf(Document))
        {
            Assert.InRange(await session.AssertAsync(block), 1, 7);
        }
    }

    [Fact]
    public async Task Every_endpoint_that_is_there_is_in_the_table()
    {
        await using var service = await RunningService.StartAsync(operations: $"secret: {Secret}");
        using var client = service.Operator(Secret);
        foreach (var path in EndpointPath().Matches(Document).Select(match => match.Groups[1].Value))
        {
            using var response = await client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.True((int)response.StatusCode is not (404 or 405), $"{path}: {response.StatusCode}");
        }
    }

    [GeneratedRegex("```ya?ml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex YamlBlock();

    [GeneratedRegex(@"^\| `GET(?:`, `PUT)? (/ops/[\w./]+)`", RegexOptions.Multiline)]
    private static partial Regex EndpointPath();
}
