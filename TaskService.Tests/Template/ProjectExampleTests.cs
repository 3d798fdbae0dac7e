using TaskService.Tests.Support;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Template;

/// <summary>The example of two further resources works, added as its README says.</summary>
[Trait("Suite", "template")]
[Collection(nameof(TemplateTests))]
public sealed class ProjectExampleTests
{
    private const string Folder = "examples/projects/";
    private const string Document = Folder + "README.md";

    // Its own; and those that look at every entity, endpoint and file.
    private static readonly string[] Tests =
    [
        ".Tests.Projects.", ".Storage.Projects.", ".EntityTests.", ".OpenApiTests.", ".ServiceIndexTests.", ".Tidy.",
    ];

    /// <summary>It takes as long as a build of all and half of its tests.</summary>
    [Fact]
    [Trait("Suite", "soak")]
    public async Task The_example_builds_without_warnings_and_passes_its_tests()
    {
        using var copy = new TreeCopy();
        await copy.ApplyAsync(Document, "## To add them");
        await copy.BuildAsync();
        await copy.AssertPassesAsync($"({string.Join('|', Tests.Select(test => $"FullyQualifiedName~{test}"))})");
    }

    [Theory]
    [InlineData("Project", 10, 4)]
    [InlineData("Milestone", 10, 1)]
    public void A_resource_takes_10_files_at_most_and_few_lines_elsewhere(string name, int filesMax, int linesMax)
    {
        var files = SourceTree.Paths.Where(path => path.StartsWith(Folder, StringComparison.Ordinal)
            && !path.Contains(".Tests/", StringComparison.Ordinal)
            && Path.GetFileName(path).Contains(name, StringComparison.OrdinalIgnoreCase));
        Assert.InRange(files.Count(), 1, filesMax);
        var lines = File.ReadLines(TestRoot.File(Document))
            .Where(line => line.StartsWith('+') && line.Contains(name, StringComparison.Ordinal)
                && (name == "Milestone" || !line.Contains("Milestone", StringComparison.Ordinal)));
        Assert.InRange(lines.Count(), 1, linesMax);
    }
}
