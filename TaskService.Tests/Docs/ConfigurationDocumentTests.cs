using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Docs;

/// <summary>The section of <c>docs/configuration.md</c> is read as it says, by the code that it shows.</summary>
public sealed partial class ConfigurationDocumentTests
{
    private static readonly string Document = File.ReadAllText(TestRoot.File("docs", "configuration.md"))
        .ReplaceLineEndings("\n");

    [Fact]
    public void The_section_shown_has_the_problems_shown()
    {
        var yaml = Assert.Single(Blocks("yaml"));
        var error = Assert.Throws<ConfigException>(() => Settings.Read(
            "search.yaml",
            yaml + "task-db: { memory: }\n",
            new Dictionary<string, string>(),
            new CommandLineOptions(),
            Sections));
        Assert.Equal(Assert.Single(Blocks("")).TrimEnd('\n').Split('\n'), error.Problems);
    }

    [Fact]
    public async Task The_code_shown_is_this_code_and_that_of_the_program()
    {
        var blocks = Blocks("csharp");
        var code = Flat(await File.ReadAllTextAsync(
            TestRoot.File("TaskService.Tests", "Docs", $"{nameof(ConfigurationDocumentTests)}.cs")));
        Assert.Equal(6, blocks.Count);
        Assert.All(blocks, block => Assert.Contains(
            Flat(block).Replace(" AddSections(", " Sections(", StringComparison.Ordinal), code));
        Assert.Contains(
            "OtherSections AddSections(OtherSections settings) => settings "
            + ".Allow(\"Authentication\", typeof(IAuthenticationSchemeProvider));",
            Flat(await File.ReadAllTextAsync(TestRoot.File("TaskService", "Program.cs"))));
    }

    [Fact]
    public async Task The_lines_shown_can_be_added_to_the_program()
    {
        await using var service = await RunningService.StartAsync(
            logging: "search: { server: 'http://h' }",
            sections: settings => settings.Allow("search"),
            setup: builder =>
            {
                builder.Services.AddOptions<SearchOptions>()
                    .BindConfiguration("search").ValidateDataAnnotations().ValidateOnStart();
                builder.Configuration.AddJsonFile("appsettings.json", optional: true);
                builder.Configuration.AddUserSecrets<Program>();
                var files = Assert.IsType<PhysicalFileProvider>(builder.Configuration.GetFileProvider());
                Assert.Equal(AppContext.BaseDirectory, files.Root);
            });
        Assert.True(service.Port > 0);
    }

    internal static OtherSections Sections(OtherSections settings) => settings
        .Section<SearchOptions>("search")
        .Allow("Authentication", typeof(IAuthenticationSchemeProvider));

    private static List<string> Blocks(string language) =>
        [.. Block().Matches(Document).Where(block => block.Groups[1].Value == language)
            .Select(block => block.Groups[2].Value)];

    private static string Flat(string code) => Blanks().Replace(code, " ").Trim();

    [GeneratedRegex("^```(\\w*)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();

    internal sealed class SearchOptions
    {
        [Required]
        public Uri? Server { get; set; }

        [Range(1, 100)]
        public int PageSizeMax { get; set; } = 10;

        public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(1);

        public string ApiKey { get; set; } = "";
    }
}
