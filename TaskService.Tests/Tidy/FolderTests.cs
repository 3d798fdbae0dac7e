using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>A folder can be read, and taken away, without those that depend on it.</summary>
public sealed class FolderTests
{
    private const string Root = "";

    [Theory]
    [InlineData("")]
    [InlineData(".Telemetry")]
    public void No_folder_depends_on_one_that_depends_on_it(string project)
    {
        var (folder, root) = (SourceTree.Layout.Folder + project, SourceTree.Layout.Namespace + project);
        var files = SourceTree.CSharp.Where(file => file.Path.StartsWith($"{folder}/", StringComparison.Ordinal));
        Assert.Empty(Circle(Dependencies(folder, root, [.. files])));
    }

    [Theory]
    [InlineData("using Shop.B; class A;", "class B;", "class Program;", "")]
    [InlineData("class A;", "class B;", "using Shop.A; using Shop.B; class Program;", "")]
    [InlineData("class A { } // using Shop.B;", "using Shop.A; class B;", "class Program;", "")]
    [InlineData("using Shop.B; class A;", "using Shop.A; class B;", "class Program;", "A > B > A")]
    [InlineData("class A { Shop.B.X x; }", "using Shop.A.Deep; class B;", "class Program;", "A > B > A")]
    [InlineData("class A { Program program; }", "class B;", "using Shop.A; class Program;", " > A > ")]
    public void Folders_that_depend_on_each_other_are_found(string a, string b, string program, string circle)
    {
        SourceFile[] files = [new("Shop/A/X.cs", a), new("Shop/B/X.cs", b), new("Shop/Program.cs", program)];
        Assert.Equal(circle, string.Join(" > ", Circle(Dependencies("Shop", "Shop", files))));
    }

    /// <summary>Each folder of a project with those that it names; the root of the project is empty.</summary>
    private static Dictionary<string, HashSet<string>> Dependencies(
        string folder, string rootNamespace, IReadOnlyList<SourceFile> files)
    {
        var all = files.ToLookup(file => FolderOf(folder, file.Path));
        var rootTypes = all[Root].SelectMany(file => Regex.Matches(
            file.CSharp.Code, @"\b(?:class|record|struct|interface|enum)\s+(?<name>\w+)")
            .Select(type => type.Groups["name"].Value)).ToHashSet();
        var usesRoot = new Regex($@"\b(?:{string.Join('|', rootTypes)})\b");
        return all.ToDictionary(one => one.Key, one => all.Select(other => other.Key)
            .Where(other => other != one.Key && one.Any(file => other.Length == 0
                ? usesRoot.IsMatch(file.CSharp.Code)
                : Regex.IsMatch(file.CSharp.Code, $@"\b{Regex.Escape(rootNamespace)}\.{other}\b")))
            .ToHashSet());
    }

    private static string FolderOf(string project, string path) =>
        path[(project.Length + 1)..].Split('/') is [var folder, _, ..] ? folder : Root;

    /// <summary>The folders of a circle, the first of them at its end again; empty when there is none.</summary>
    private static List<string> Circle(Dictionary<string, HashSet<string>> dependencies)
    {
        var way = new List<string>();
        return dependencies.Keys.Order(StringComparer.Ordinal).Any(Leads) ? way[way.IndexOf(way[^1])..] : [];

        bool Leads(string folder)
        {
            var isClosed = way.Contains(folder);
            way.Add(folder);
            if (isClosed || dependencies[folder].Order(StringComparer.Ordinal).Any(Leads))
            {
                return true;
            }
            way.RemoveAt(way.Count - 1);
            return false;
        }
    }
}
