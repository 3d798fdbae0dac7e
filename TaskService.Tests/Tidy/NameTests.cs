using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>A type is a word of the domain: a name that fits anything gathers everything.</summary>
public sealed class NameTests
{
    private const string Empty = "(Utils?|Utilities|Helpers?|Common|Extensions|Managers?)";
    private const string Fix = "name it after what it does, or move each part to whom it belongs";

    private static readonly Regex Paths = new($@"{Empty}(?=[./]|$)");
    private static readonly Regex Types = new($@"\b(class|struct|interface|record|enum)\s+\w*{Empty}\b");

    [Fact]
    public void No_file_or_folder_has_a_name_that_fits_anything() =>
        Finding.ExpectNone(SourceTree.Paths.SelectMany(InPath));

    [Fact]
    public void No_type_has_a_name_that_fits_anything() => Finding.ExpectNone(SourceTree.CSharp.SelectMany(InTypes));

    [Theory]
    [InlineData("App/Utils.cs")]
    [InlineData("App/StringHelper.cs")]
    [InlineData("App/Task.Extensions.cs")]
    [InlineData("App/Common/Task.cs")]
    public void A_path_that_says_nothing_is_found(string path) => Assert.NotEmpty(InPath(path));

    [Theory]
    [InlineData("App/HelperThreads.cs")]
    [InlineData("App/Uncommon.cs")]
    [InlineData("docs/extensions.md")]
    public void A_path_that_says_something_is_not(string path) => Assert.Empty(InPath(path));

    [Theory]
    [InlineData("internal static class Utils;")]
    [InlineData("internal static class TaskExtensions { }")]
    [InlineData("internal sealed record struct ConnectionManager(int X);")]
    [InlineData("internal interface IHelper { }")]
    public void A_type_that_says_nothing_is_found(string code) =>
        Assert.NotEmpty(InTypes(new SourceFile("X.cs", code)));

    [Theory]
    [InlineData("using Microsoft.Extensions.Logging; // class Helper")]
    [InlineData("internal sealed class ManagerOfNothing { string helper = \"class Utils\"; }")]
    [InlineData("void F<T>(TaskManager manager) where T : class")]
    public void A_type_that_says_something_is_not(string code) => Assert.Empty(InTypes(new SourceFile("X.cs", code)));

    private static IEnumerable<Finding> InPath(string path) =>
        Paths.Matches(path).Select(match => new Finding(path, 1, $"{match.Value} says nothing", Fix));

    private static IEnumerable<Finding> InTypes(SourceFile file) =>
        Types.Matches(file.CSharp.Code).Select(match => file.Finding(match.Index, $"{match.Value} says nothing", Fix));
}
