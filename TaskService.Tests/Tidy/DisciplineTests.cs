using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>A test that is skipped, asserts nothing or cannot be found is none.</summary>
public sealed class DisciplineTests
{
    private static readonly Regex Marker = new(@"[\[,]\s*\w*(Fact|Theory)\s*[\](,]");
    private static readonly Regex Skip = new(@"\bSkip\s*=[^=]");

    private static readonly Regex Assertion = new(
        @"\bAssert\.(?!Skip)|\b(Assert|Expect|Verify)\w*(<[\w, ]+>)?\s*\(|\bQuickCheckThrowOnFailure\b|\bCheck\.");

    // What is tested there has no folder of its own.
    private static readonly string[] OtherFolders = ["Support", "Tidy", "Template", "Docs", "Processes", "Acceptance"];

    private static readonly string[] Code =
        ["run.cs", "App/Program.cs", "App/Api/A.cs", "App/Storage/FileSystem/F.cs", "App.Telemetry/Logging/L.cs"];

    [Fact]
    public void No_test_is_skipped() => Finding.ExpectNone(TestFiles().SelectMany(Skipped));

    [Fact]
    public void Every_test_asserts_something() => Finding.ExpectNone(TestFiles().SelectMany(Idle));

    [Fact]
    public void Folders_of_tests_mirror_the_code() => Finding.ExpectNone(
        Unmirrored(SourceTree.Layout.Folder, [.. SourceTree.CSharp.Select(file => file.Path)]));

    [Theory]
    [InlineData("[Fact(Skip = \"later\")] public void F() => Assert.True(x);")]
    [InlineData("[Theory(Timeout = 1, Skip = Reason)] public void F() => Assert.True(x);")]
    public void A_test_that_is_skipped_is_found(string code) => Assert.NotEmpty(Skipped(new SourceFile("X.cs", code)));

    [Theory]
    [InlineData("[Fact] public void F() { Assert.SkipUnless(x, \"no server\"); } // Skip = \"later\"")]
    [InlineData("[InlineData(\"Skip = 1\")] public void Skip(int x) { var y = Skip == x; }")]
    public void A_test_that_is_not_skipped_is_not(string code) => Assert.Empty(Skipped(new SourceFile("X.cs", code)));

    [Theory]
    [InlineData("[Fact] public void F() { Run(); }")]
    [InlineData("[Theory]\n[InlineData(\"Assert.True\")]\npublic void F(string x) => Run(x); // Assert.True")]
    [InlineData("[LinuxFact] public void F() { Assert.Skip(\"no server\"); }")]
    [InlineData("[Trait(\"a\", \"b\"), Fact(Timeout = 1)] public async Task F() { await RunAsync(); }")]
    [InlineData("[Fact] public void F() => Run();\n\nprivate static void Run() => Assert.True(x);")]
    public void A_test_that_asserts_nothing_is_found(string code) => Assert.Single(Idle(TypeWith(code)));

    [Theory]
    [InlineData("[Fact] public void F() => Assert.True(x);")]
    [InlineData("[Fact] public async Task F() { await AssertAnswersAsync(200); }")]
    [InlineData("[Fact] public void F() => Finding.ExpectNone(x);")]
    [InlineData("[Fact] public void F() => Expect<IOException>(x);")]
    [InlineData("[Fact] public void F() => Prop.ForAll(x).QuickCheckThrowOnFailure();")]
    [InlineData("[Fact] public void F() => Check.One(x);")]
    [InlineData("[Fact] public void F() => contract.Verify();")]
    [InlineData("private void Run() { }")]
    public void A_test_that_asserts_something_is_not(string code) => Assert.Empty(Idle(TypeWith(code)));

    [Theory]
    [InlineData("App.Tests/Http/X.cs")]
    [InlineData("App.Tests/Storage/Disk/X.cs")]
    [InlineData("App.Tests/Api/Support/X.cs")]
    public void A_folder_that_mirrors_nothing_is_found(string path) =>
        Assert.Single(Unmirrored("App", [.. Code, path]));

    [Theory]
    [InlineData("App.Tests/X.cs")]
    [InlineData("App.Tests/Storage/X.cs")]
    [InlineData("App.Tests/Storage/FileSystem/X.cs")]
    [InlineData("App.Tests/Logging/X.cs")]
    [InlineData("App.Tests/Support/Http/X.cs")]
    public void A_folder_that_mirrors_the_code_is_not(string path) => Assert.Empty(Unmirrored("App", [.. Code, path]));

    private static IEnumerable<SourceFile> TestFiles() =>
        SourceTree.CSharp.Where(file => SourceTree.Layout.LayerOf(file.Path) == "Tests");

    private static IEnumerable<Finding> Skipped(SourceFile file) =>
        from test in CSharpMember.In(file.CSharp.Code)
        where Skip.IsMatch(test.Attributes)
        select file.Finding(
            test.Start, $"{test.Name} is skipped", "mend or delete it; Assert.Skip is for what a machine lacks");

    private static IEnumerable<Finding> Idle(SourceFile file) =>
        from test in CSharpMember.In(file.CSharp.Code)
        where Marker.IsMatch(test.Attributes) && !Assertion.IsMatch(test.Text)
        select file.Finding(test.Start, $"{test.Name} asserts nothing", "say with Assert what must be so");

    /// <param name="service">The folder of the service.</param>
    /// <param name="paths">All C# files.</param>
    private static IEnumerable<Finding> Unmirrored(string service, IReadOnlyList<string> paths)
    {
        var tests = $"{service}.Tests/";
        var code = paths.Where(path => !path.StartsWith(tests, StringComparison.Ordinal)).Select(InProject).ToHashSet();
        return
            from path in paths
            where path.StartsWith(tests, StringComparison.Ordinal)
            let folder = InProject(path)
            where folder.Length > 0 && !OtherFolders.Contains(folder.Split('/')[0])
            where !code.Any(other => $"{other}/".StartsWith($"{folder}/", StringComparison.Ordinal))
            select new Finding(path, 1, $"{folder} mirrors no folder of the code", "put the test where its code is");

        static string InProject(string path) => string.Join('/', path.Split('/').Skip(1).SkipLast(1));
    }

    private static SourceFile TypeWith(string member) =>
        new("X.cs", $"namespace N;\n\npublic class X\n{{\n{member}\n}}\n");
}
