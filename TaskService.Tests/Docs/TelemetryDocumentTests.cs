using System.Text.RegularExpressions;
using TaskService.Configuration;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The configuration of <c>docs/telemetry.md</c> is right, and tells all settings.</summary>
public sealed partial class TelemetryDocumentTests
{
    private static readonly string Document = File.ReadAllText(TestRoot.File("docs", "telemetry.md"));

    [Fact]
    public void The_configuration_shown_is_right_and_every_setting_of_an_outlet_is_told()
    {
        var yaml = Assert.Single(YamlBlock().Matches(Document)).Groups[1].Value;
        var (settings, source) = Settings.Read(
            "telemetry.md",
            yaml + "\ntask-db: { memory: }",
            new Dictionary<string, string>(),
            new CommandLineOptions());
        Assert.Equal(["events", "numbers", "collector"], settings.Telemetry.Outlets.Select(outlet => outlet.Name));
        using var printed = new StringWriter();
        source.Print(printed);
        var telemetry = printed.ToString().Split("\ntelemetry:")[1].Split("\ntask-db:")[0];
        foreach (var key in Key().Matches(telemetry).Select(match => match.Groups[1].Value))
        {
            Assert.Contains(key, Document, StringComparison.Ordinal);
        }
    }

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex YamlBlock();

    [GeneratedRegex(@"^ +([a-z-]+):", RegexOptions.Multiline)]
    private static partial Regex Key();
}
