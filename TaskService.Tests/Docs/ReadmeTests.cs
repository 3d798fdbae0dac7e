using System.Text.RegularExpressions;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The README is run, and what it names is there.</summary>
[Trait("Suite", "integration")]
public sealed partial class ReadmeTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public static TheoryData<string> Documents =>
        [.. Directory.GetFiles(TestRoot.Path, "*.md")
            .Concat(Directory.GetFiles(TestRoot.File("docs"), "*.md", SearchOption.AllDirectories))
            .Select(file => Path.GetRelativePath(TestRoot.Path, file))];

    private static string Readme => File.ReadAllText(TestRoot.File("README.md"));

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("configs/todoList-local.yaml")]
    [InlineData("configs/todoList-fs.yaml")]
    [InlineData("configs/todoList-sqlite.yaml")]
    public async Task The_session_runs_word_for_word_on_each_engine(string config)
    {
        foreach (var file in new[] { config, "data/tasks/task1.json", "data/tasks/task2.json" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(directory.File(file))!);
            File.Copy(TestRoot.File(file), directory.File(file));
        }
        using var process = ServiceProcess.Start(directory.Path, "--config", config, "--port", "0");
        var address = await process.ListeningAsync();
        var session = new ConsoleSession(directory.Path, new Uri($"http://localhost:{address.Port}"));
        Assert.Equal(10, await session.AssertAsync(Assert.Single(ConsoleSession.BlocksOf(Readme))));
        Assert.Equal(
            !config.Contains("local", StringComparison.Ordinal), Directory.Exists(directory.File("data/store")));
        process.Signal("TERM");
        Assert.Equal(0, await process.ExitAsync());
    }

    [Fact]
    public void The_configuration_shown_is_right_and_every_setting_it_has_is_in_the_table()
    {
        var yaml = Assert.Single(YamlBlock().Matches(Readme)).Groups[1].Value;
        var (_, source) = Settings.Read(
            "README.md", yaml, new Dictionary<string, string>(), new CommandLineOptions());
        using var printed = new StringWriter();
        source.Print(printed);
        foreach (var key in Key().Matches(printed.ToString()).Select(match => match.Groups[1].Value))
        {
            Assert.Contains(key, Readme, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_wrong_setting_shown_is_answered_as_shown()
    {
        var yaml = await File.ReadAllTextAsync(TestRoot.File("configs", "todoList-local.yaml"));
        Directory.CreateDirectory(directory.File("configs"));
        var misspelt = yaml.Replace("  port:", "  prot:", StringComparison.Ordinal);
        await File.WriteAllTextAsync(directory.File("configs/todoList-local.yaml"), misspelt);
        using var process = ServiceProcess.Start(directory.Path, "--check-config");
        Assert.Equal(78, await process.ExitAsync());
        var shown = Readme.ReplaceLineEndings("\n");
        Assert.Contains($"\n{Assert.Single(process.Errors)}\n", shown, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_link_in_a_document_leads_somewhere(string document)
    {
        var folder = Path.GetDirectoryName(TestRoot.File(document))!;
        var links = Link().Matches(File.ReadAllText(TestRoot.File(document)))
            .Select(match => match.Groups[1].Value)
            .Where(link => !link.StartsWith("https://", StringComparison.Ordinal));
        Assert.All(links, link => Assert.True(Path.Exists(Path.Combine(folder, link)), $"{document} links to {link}"));
    }

    [GeneratedRegex("```yaml\r?\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex YamlBlock();

    [GeneratedRegex("^ *([a-z-]+): ", RegexOptions.Multiline)]
    private static partial Regex Key();

    [GeneratedRegex(@"\]\(([^)#]+)")]
    private static partial Regex Link();
}
