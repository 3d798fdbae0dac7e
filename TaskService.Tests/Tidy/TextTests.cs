using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>Files read alike on every machine, and say nothing of the one that they were written on.</summary>
public sealed class TextTests
{
    private static readonly Regex MachinePath = new(@"(?<![\w.)}~-])/(home|root|work)/|\b[A-Za-z]:[\\/]{1,2}Users\b");

    [Fact]
    public void No_file_names_a_path_of_one_machine() => Finding.ExpectNone(SourceTree.Files.SelectMany(MachinePaths));

    [Fact]
    public void Every_file_has_clean_line_ends() => Finding.ExpectNone(SourceTree.Files.SelectMany(UncleanLines));

    [Theory]
    [InlineData("data: |home|ann|data")]
    [InlineData("\"|root|x\"")]
    [InlineData("cd |work|main")]
    [InlineData("file:|||home|ann")]
    [InlineData("at C:_Users_ann")]
    [InlineData("at c:__Users__ann")]
    public void A_path_of_one_machine_is_found(string disguised) => Assert.Single(MachinePaths(Undisguised(disguised)));

    [Theory]
    [InlineData("see https:||example.org|home|")]
    [InlineData("data|work|main and {folder}|root|x")]
    [InlineData("|homes|, |workers|, framework|home")]
    [InlineData("the folder C:_Program, the word Users")]
    public void A_path_of_any_machine_is_not(string disguised) => Assert.Empty(MachinePaths(Undisguised(disguised)));

    [Theory]
    [InlineData("X.cs", "a\r\nb\r\n")]
    [InlineData("X.md", "a\r\nb\r\n")]
    [InlineData("X.cs", "a \nb\n")]
    [InlineData("X.yaml", "a:\t\n")]
    [InlineData("X.json", "{}")]
    [InlineData("X.md", "a\nb")]
    public void An_unclean_line_end_is_found(string path, string text) =>
        Assert.Single(UncleanLines(new SourceFile(path, text)));

    [Theory]
    [InlineData("X.cs", "  a\n\n\tb\n")]
    [InlineData("X.cs", "var lineEnd = \"\\r\\n\";\n")]
    [InlineData("X.md", "a line that breaks  \nhere\n")]
    [InlineData("X.json", "")]
    public void A_clean_line_end_is_not(string path, string text) =>
        Assert.Empty(UncleanLines(new SourceFile(path, text)));

    private static IEnumerable<Finding> MachinePaths(SourceFile file) =>
        MachinePath.Matches(file.Text)
            .Select(path => file.Finding(path.Index, $"{path} is of one machine", "use a relative path, or a setting"));

    private static IEnumerable<Finding> UncleanLines(SourceFile file)
    {
        var carriageReturn = file.Text.IndexOf('\r', StringComparison.Ordinal);
        if (carriageReturn >= 0)
        {
            yield return file.Finding(carriageReturn, "a line ends with CRLF", "end every line of the file with LF");
        }
        if (file.Text.Length > 0 && !file.Text.EndsWith('\n'))
        {
            yield return file.Finding(file.Text.Length, "the last line has no end", "add a newline");
        }
        var isMarkdown = file.Path.EndsWith(".md", StringComparison.Ordinal);
        foreach (Match blanks in Regex.Matches(file.Text, @"[ \t]+(?=\r?(\n|$))"))
        {
            if (!isMarkdown)
            {
                yield return file.Finding(blanks.Index, "a line ends with blanks", "remove them");
            }
        }
    }

    // So that this file holds no such path itself.
    private static SourceFile Undisguised(string text) => new("X.md", text.Replace('|', '/').Replace('_', '\\'));
}
