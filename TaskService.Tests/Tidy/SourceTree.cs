using System.Text.RegularExpressions;

namespace TaskService.Tests.Tidy;

/// <summary>The files of the repository that are, or would be, under version control.</summary>
internal static class SourceTree
{
    private static readonly string[] TextFiles = [".cs", ".md", ".yaml", ".json", ".props", ".csproj", ".ps1"];

    private static readonly string Root = FindRoot();
    private static readonly string[] Ignored = [".git", "bin", "obj", "artifacts", .. FoldersInGitIgnore()];

    /// <summary>Every file, from the root.</summary>
    public static IReadOnlyList<string> Paths { get; } = [.. PathsIn(Root).Order(StringComparer.Ordinal)];

    /// <summary>Every file that people write; lock files are written by tools.</summary>
    public static IReadOnlyList<SourceFile> Files { get; } =
    [
        .. Paths.Where(path => TextFiles.Contains(Path.GetExtension(path)))
            .Where(path => !path.EndsWith(".lock.json", StringComparison.Ordinal))
            .Select(path => new SourceFile(path, File.ReadAllText(Path.Combine(Root, path)))),
    ];

    public static IEnumerable<SourceFile> CSharp => Files.Where(file => file.IsCSharp);

    public static Layout Layout { get; } = ReadLayout();

    private static Layout ReadLayout()
    {
        var folder = Path.GetFileNameWithoutExtension(Directory.GetFiles(Root, "*.sln")[0]);
        var rootTypes = Directory.GetFiles(Path.Combine(Root, folder), "*.cs").Select(Path.GetFileNameWithoutExtension);
        return new Layout(folder, typeof(Program).Namespace!, [.. rootTypes.OfType<string>()]);
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (Directory.GetFiles(folder, "*.sln").Length == 0)
        {
            folder = Path.GetDirectoryName(folder)
                ?? throw new DirectoryNotFoundException($"no solution file above {AppContext.BaseDirectory}");
        }
        return folder;
    }

    private static IEnumerable<string> FoldersInGitIgnore()
    {
        var file = Path.Combine(Root, ".gitignore");
        var lines = File.Exists(file) ? File.ReadLines(file) : [];
        return lines.Where(line => line.EndsWith('/')).Select(line => line.Trim('/'));
    }

    private static IEnumerable<string> PathsIn(string folder) =>
        Directory.EnumerateFiles(folder).Select(FromRoot)
            .Concat(Directory.EnumerateDirectories(folder)
                .Where(below => !Ignored.Contains(Path.GetFileName(below)) && !Ignored.Contains(FromRoot(below)))
                .SelectMany(PathsIn));

    private static string FromRoot(string path) => Path.GetRelativePath(Root, path).Replace('\\', '/');
}

/// <summary>What the tree calls its parts; a service that was made from the template calls them otherwise.</summary>
/// <param name="Folder">The service's. Those of the other projects add a dot and a word.</param>
/// <param name="Namespace">The root of all namespaces.</param>
/// <param name="RootTypes">The types of the service that are in no layer.</param>
internal sealed record Layout(string Folder, string Namespace, IReadOnlyList<string> RootTypes)
{
    /// <summary>The namespace that belongs to the folder of a file; null outside of the projects.</summary>
    public string? NamespaceOf(string path)
    {
        var folder = path[..Math.Max(0, path.LastIndexOf('/'))];
        return Regex.IsMatch(folder, $"^{Regex.Escape(Folder)}([./]|$)")
            ? Namespace + folder[Folder.Length..].Replace('/', '.')
            : null;
    }

    /// <summary>
    /// The folder of the service, or the other project, that a file is in; empty for the root of the service, null
    /// outside of the projects.
    /// </summary>
    public string? LayerOf(string path) => NamespaceOf(path)?[Namespace.Length..].TrimStart('.').Split('.')[0];
}

/// <summary>A text file of the repository.</summary>
/// <param name="Path">From the root, with slashes.</param>
/// <param name="Text">What it says.</param>
internal sealed record SourceFile(string Path, string Text)
{
    public bool IsCSharp => Path.EndsWith(".cs", StringComparison.Ordinal);

    /// <summary>The last part of the path.</summary>
    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>The text of a C# file, taken apart.</summary>
    public CSharpText CSharp => field ??= CSharpText.Read(Text);

    public int LineAt(int position) => Text.AsSpan(0, position).Count('\n') + 1;

    public Finding Finding(int position, string broken, string fix) => new(Path, LineAt(position), broken, fix);
}

/// <summary>A place that breaks a rule.</summary>
/// <param name="Broken">What is wrong.</param>
/// <param name="Fix">What to do about it.</param>
internal sealed record Finding(string Path, int Line, string Broken, string Fix)
{
    public static void ExpectNone(IEnumerable<Finding> findings)
    {
        var lines = findings.Select(found => $"{found.Path}:{found.Line}: {found.Broken}; {found.Fix}").ToList();
        Assert.True(lines.Count == 0, string.Join('\n', lines));
    }
}
