using System.Xml;
using System.Xml.Linq;

namespace TaskService.Tests.Tidy;

/// <summary>What nobody names, nobody finds, uses or deletes.</summary>
public sealed class OrphanTests
{
    private const string Readme = "README.md";
    private const string Decisions = "docs/decisions/";

    [Fact]
    public void Every_configuration_is_in_the_documentation() =>
        Finding.ExpectNone(UnnamedConfigurations(SourceTree.Paths, SourceTree.Files));

    [Fact]
    public void Every_decision_is_in_their_table_of_contents() =>
        Finding.ExpectNone(UnlinkedDecisions(SourceTree.Files));

    [Fact]
    public void Every_package_has_a_version_and_a_user() => Finding.ExpectNone(LonelyPackages(SourceTree.Files));

    [Theory]
    [InlineData("Start with configs/a.yaml.", "", 1)]
    [InlineData("Start with configs/a.yaml.", "The file b.yaml is for later.", 0)]
    public void A_configuration_that_no_page_names_is_found(string readme, string page, int findings)
    {
        SourceFile[] pages = [new(Readme, readme), new("docs/deep/b.md", page)];
        Assert.Equal(findings, UnnamedConfigurations(["configs/a.yaml", "configs/b.yaml"], pages).Count());
    }

    [Fact]
    public void Without_a_readme_no_configuration_is_missed() =>
        Assert.Empty(UnnamedConfigurations(["configs/a.yaml"], [new("docs/b.md", "")]));

    [Theory]
    [InlineData("[One](one.md)", 1)]
    [InlineData("one.md and two.md", 2)]
    [InlineData("[One](one.md), [Two](./two.md#why)", 0)]
    public void A_decision_without_a_link_is_found(string contents, int findings)
    {
        SourceFile[] decisions = [new(Decisions + "one.md", ""), new(Decisions + "two.md", "")];
        Assert.Equal(findings, UnlinkedDecisions([.. decisions, new(Decisions + Readme, contents)]).Count());
    }

    [Fact]
    public void Decisions_without_a_table_of_contents_are_found() =>
        Assert.Single(UnlinkedDecisions([new(Decisions + "one.md", "")]));

    [Theory]
    [InlineData("<PackageReference Include='A' />", "", "no project uses B")]
    [InlineData("<PackageReference Include='A' />\n<!-- <PackageReference Include='B' /> -->", "", "no project uses B")]
    [InlineData("<PackageReference Include='A' /><PackageReference Include='C' />", "#:package B", "C has no version")]
    [InlineData("<PackageReference Include='A' />", "#:package B\n#:package C", "C has no version")]
    public void A_package_without_a_version_or_a_user_is_found(string references, string script, string broken) =>
        Assert.Equal(broken, Assert.Single(LonelyPackages(FilesWith(references, script))).Broken);

    [Theory]
    [InlineData("<PackageReference Include='A' /><PackageReference Include='b' />", "")]
    [InlineData("<PackageReference Include='A' /><PackageDownload Include='C' />", "#:package B\n// #:package C")]
    public void A_package_with_a_version_and_a_user_is_not(string references, string script) =>
        Assert.Empty(LonelyPackages(FilesWith(references, script)));

    private static IEnumerable<Finding> UnnamedConfigurations(
        IEnumerable<string> paths, IReadOnlyList<SourceFile> files)
    {
        if (!files.Any(file => file.Path == Readme))
        {
            return [];
        }
        var pages = files.Where(file => file.Path == Readme || IsPageIn("docs/", file)).ToList();
        return
            from path in paths
            where path.StartsWith("configs/", StringComparison.Ordinal)
            where !pages.Exists(page => page.Text.Contains(Path.GetFileName(path), StringComparison.Ordinal))
            select new Finding(path, 1, "no page names this file", $"say in {Readme} what it is for, or delete it");
    }

    private static IEnumerable<Finding> UnlinkedDecisions(IReadOnlyList<SourceFile> files)
    {
        var contents = files.SingleOrDefault(file => file.Path == Decisions + Readme)?.Text ?? "";
        return
            from file in files
            where IsPageIn(Decisions, file) && file.Path != Decisions + Readme
            where !contents.Contains($"({file.Name}", StringComparison.Ordinal)
                && !contents.Contains($"(./{file.Name}", StringComparison.Ordinal)
            select new Finding(file.Path, 1, "nothing links to this decision", $"link to it from {Decisions}{Readme}");
    }

    private static IEnumerable<Finding> LonelyPackages(IReadOnlyList<SourceFile> files)
    {
        var versions = files.Where(file => file.Name == "Directory.Packages.props")
            .SelectMany(file => Named("PackageVersion", file)).ToList();
        var uses = files.Where(file => Path.GetExtension(file.Path) is ".csproj" or ".props")
            .SelectMany(file => Named("PackageReference", file))
            .Concat(files.Where(file => file.IsCSharp).SelectMany(InScript)).ToList();
        var unused = versions.ExceptBy(uses.Select(Key), Key)
            .Select(place => place with { Broken = $"no project uses {place.Broken}", Fix = "remove its version" });
        var missing = uses.ExceptBy(versions.Select(Key), Key)
            .Select(place => place with { Broken = $"{place.Broken} has no version", Fix = "add a PackageVersion" });
        return unused.Concat(missing);

        static string Key(Finding place) => place.Broken.ToUpperInvariant();
    }

    /// <summary>The packages that a project names with such elements, each as a place.</summary>
    private static IEnumerable<Finding> Named(string element, SourceFile file) =>
        from package in XDocument.Parse(file.Text, LoadOptions.SetLineInfo).Descendants()
        where package.Name.LocalName == element
        let name = (string?)package.Attribute("Include")
        where name is not null
        select new Finding(file.Path, ((IXmlLineInfo)package).LineNumber, name, "");

    private static IEnumerable<Finding> InScript(SourceFile file) =>
        from line in file.Text.Split('\n').Index()
        where line.Item.StartsWith("#:package ", StringComparison.Ordinal)
        select new Finding(file.Path, line.Index + 1, line.Item["#:package ".Length..].Split('@')[0].Trim(), "");

    private static SourceFile[] FilesWith(string references, string script) =>
    [
        new("Directory.Packages.props", "<P><PackageVersion Include='A' /><PackageVersion Include='B' /></P>"),
        new("App/App.csproj", $"<P>{references}</P>"),
        new("run.cs", script),
    ];

    private static bool IsPageIn(string folder, SourceFile file) =>
        file.Path.StartsWith(folder, StringComparison.Ordinal) && file.Path.EndsWith(".md", StringComparison.Ordinal);
}
