using System.Runtime.CompilerServices;

namespace TaskService.Tests.Tidy;

/// <summary>What grows past a limit is taken apart, while that is still easy.</summary>
public sealed class SizeTests
{
    private const int FileLinesMax = 400;
    private const int ProgramLinesMax = 79;
    private const int MethodLinesMax = 70;
    private const int LineCharactersMax = 120;

    // As long as the name that the sources have where they are written.
    private const string Name = "SomeService";

    /// <summary>
    /// What is over a limit today, as its message says it: <c>path: F has 80 lines</c>. An entry must be exact, so that
    /// it can only ever be lowered and removed.
    /// </summary>
    private static readonly string[] Exceptions = [];

    [Fact]
    public void Nothing_is_larger_than_its_limit() =>
        Finding.ExpectNone(Ratchet([.. SourceTree.CSharp.SelectMany(Oversized)], Exceptions));

    [Theory]
    [InlineData("X.cs", FileLinesMax + 1)]
    [InlineData("App/Program.cs", ProgramLinesMax + 1)]
    public void A_file_with_a_line_too_many_is_found(string path, int lines) =>
        Assert.Equal($"the file has {lines} lines", Assert.Single(Oversized(FileOf(path, lines))).Broken);

    [Theory]
    [InlineData("X.cs", FileLinesMax)]
    [InlineData("App/Program.cs", ProgramLinesMax)]
    public void A_file_at_its_limit_is_not(string path, int lines) =>
        Assert.Empty(Oversized(FileOf(path, lines)));

    [Theory]
    [InlineData("public static async Task<int> F(int x = 1)\n{?}", "F")]
    [InlineData("private static (int, string) F<T>(T x) where T : class\n{?}", "F")]
    [InlineData("public X(int x)\n : base(x)\n{?}", "X")]
    [InlineData("public static int F() => 1 switch\n{?};", "F")]
    [InlineData("public static int F() => new X {\n}.Go(() =>\n{?});", "F")]
    [InlineData("public static bool operator ==(X a, X b)\n{?}", "public static bool operator ==(X a, X b)")]
    [InlineData("public int P\n{\nget\n{?}\n}", "public int P")]
    [InlineData("[Fact]\npublic void F()\n{\nvar f = () => {?};\n}", "F")]
    public void A_method_that_is_too_long_is_found(string method, string name)
    {
        var finding = Assert.Single(Oversized(TypeWith(method, MethodLinesMax)));
        Assert.StartsWith($"{name} has 7", finding.Broken, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("public void F()\n{?}\n\npublic void G()\n{?}")]
    [InlineData("#pragma warning disable X\n\n\n\npublic void F()\n{?}\n#pragma warning restore X")]
    [InlineData("public int P { get; set; } = 1;\n\npublic void F()\n{?}\n\npublic int Q => 1;")]
    [InlineData("[Theory]\n[InlineData(\n1,\n2,\n3,\n4)]\npublic void F()\n{?}")]
    [InlineData("internal enum E\n{\nA = 1,\nB,\n}\n\ninternal sealed record R(int X);\n\npublic void F()\n{?}")]
    [InlineData("private static readonly int[] Table = new[]\n{\n?\n};")]
    [InlineData("public void F()\n{\nvar brace = '}'; var text = \"}\"; // }\n}\n\npublic void G()\n{?}")]
    public void Members_that_are_only_long_together_are_not(string members) =>
        Assert.Empty(Oversized(TypeWith(members, MethodLinesMax - 3)));

    [Theory]
    [InlineData(LineCharactersMax + 1, 1)]
    [InlineData(LineCharactersMax, 0)]
    public void A_line_that_is_too_long_is_found(int characters, int findings) =>
        Assert.Equal(findings, Oversized(new SourceFile("X.cs", $"\n// {new string('x', characters - 3)}\n")).Count());

    [Fact]
    public void An_exception_lets_through_what_has_its_size() =>
        Assert.Empty(Ratchet([TooLong("F has 80 lines")], ["X.cs: F has 80 lines"]));

    [Theory]
    [InlineData("F has 81 lines")]
    [InlineData("F has 79 lines")]
    [InlineData("G has 80 lines")]
    public void An_exception_that_is_not_exact_is_found(string broken) =>
        Assert.Equal(2, Ratchet([TooLong(broken)], ["X.cs: F has 80 lines"]).Count());

    [Fact]
    public void An_exception_that_is_not_needed_is_found() =>
        Assert.Contains("remove", Assert.Single(Ratchet([], ["X.cs: F has 80 lines"])).Fix, StringComparison.Ordinal);

    private static IEnumerable<Finding> Oversized(SourceFile file)
    {
        var lines = file.Text.Count(c => c == '\n');
        var linesMax = file.Name == "Program.cs" ? ProgramLinesMax : FileLinesMax;
        if (lines > linesMax)
        {
            yield return file.Finding(0, $"the file has {lines} lines", $"split it; {linesMax} are allowed");
        }
        var methods = CSharpMember.In(file.CSharp.Code).Where(member => !member.IsField);
        foreach (var method in methods.Where(method => method.Lines > MethodLinesMax))
        {
            yield return file.Finding(
                method.Start, $"{method.Name} has {method.Lines} lines", $"split it; {MethodLinesMax} are allowed");
        }
        foreach (var (index, line) in file.Text.Split('\n').Index())
        {
            if (CharactersOf(line) is > LineCharactersMax and var characters)
            {
                yield return new Finding(
                    file.Path, index + 1, $"has {characters} characters", $"break it; {LineCharactersMax} are allowed");
            }
        }
    }

    // A service that was generated under a longer name has longer lines, which nobody wrote.
    private static int CharactersOf(string line)
    {
        var layout = SourceTree.Layout;
        return new[] { layout.Namespace, layout.Folder, layout.Namespace.Replace('.', '_') }
            .Aggregate(line, (text, name) => text.Replace(name, Name, StringComparison.OrdinalIgnoreCase)).Length;
    }

    private static IEnumerable<Finding> Ratchet(
        IReadOnlyList<Finding> findings, IReadOnlyList<string> exceptions, [CallerLineNumber] int line = 0)
    {
        var unused = exceptions.ToList();
        var unexpected = findings.Where(finding => !unused.Remove($"{finding.Path}: {finding.Broken}")).ToList();
        return unexpected.Concat(unused.Select(entry => new Finding(
            $"{nameof(SizeTests)}.cs", line, $"exception \"{entry}\" is not exact", "lower or remove it")));
    }

    private static SourceFile FileOf(string path, int lines) =>
        new(path, string.Concat(Enumerable.Repeat("//\n", lines)));

    /// <summary>A type with these members, each question mark standing for so many lines.</summary>
    private static SourceFile TypeWith(string members, int lines) => new(
        "X.cs",
        "using System;\n\nnamespace N;\n\npublic sealed class X(int x) : Base<X>\n{\n"
            + members.Replace("?", new string('\n', lines), StringComparison.Ordinal) + "\n}\n");

    private static Finding TooLong(string broken) => new("X.cs", 1, broken, "split it");
}
