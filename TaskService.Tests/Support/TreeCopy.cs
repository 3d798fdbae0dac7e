using System.Text.RegularExpressions;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Support;

/// <summary>
/// A copy of the repository, without what Git ignores, in which a section of a document is carried out. A block of code
/// belongs to the file that the text above it names last, in backticks: <c>diff</c> changes the file, <c>sh</c> has the
/// commands <c>rm</c>, <c>mkdir</c>, <c>mv</c>, <c>cp -r</c> and <c>dotnet</c>, any other language is the text of a new
/// file.
/// </summary>
internal sealed class TreeCopy : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public TreeCopy()
    {
        foreach (var path in SourceTree.Paths)
        {
            var target = PathOf(path);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.Copy(TestRoot.File(path), target);
        }
    }

    /// <summary>The root of the copy.</summary>
    public string Path => directory.Path;

    /// <param name="path">From the root.</param>
    public string PathOf(string path) => directory.File(path);

    /// <summary>Carries out the blocks below a heading, down to the next heading that is not below it.</summary>
    /// <param name="document">Its path from the root, in this repository.</param>
    /// <param name="heading">The whole line.</param>
    /// <returns>The blocks that were carried out.</returns>
    public async Task<IReadOnlyList<DocumentBlock>> ApplyAsync(string document, string heading)
    {
        var blocks = DocumentBlock.Read(SectionOf(File.ReadAllText(TestRoot.File(document)), heading));
        Assert.True(blocks.Count > 0, $"{document} has no block of code below \"{heading}\"");
        foreach (var block in blocks)
        {
            await ApplyAsync(block);
        }
        return blocks;
    }

    /// <summary>Carries out a block.</summary>
    public async Task ApplyAsync(DocumentBlock block)
    {
        if (block.Language == "sh")
        {
            foreach (var command in block.Lines)
            {
                await RunAsync(command.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            }
            return;
        }
        Assert.True(block.Path is not null, $"no file is named above:\n{block.Text}");
        var file = PathOf(block.Path);
        Assert.True(File.Exists(file) == (block.Language == "diff"), $"{block.Path} is changed or is there already");
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        var text = block.Language == "diff" ? Changed(await File.ReadAllTextAsync(file), block) : block.Text;
        await File.WriteAllTextAsync(file, text);
    }

    /// <summary>Builds the solution; a warning is an error. Lock files follow changed packages.</summary>
    public Task BuildAsync() => DotnetCommand.AssertRunsAsync(Path, "build", "-warnaserror", "--nologo", "-v", "quiet");

    /// <summary>Runs tests of the copy, which has been built. None at all is a failure.</summary>
    /// <param name="filter">Of <c>dotnet test</c>.</param>
    public Task AssertPassesAsync(string filter) => DotnetCommand.AssertRunsAsync(Path, TestArguments(filter));

    /// <summary>Runs tests of the copy, one of which at least must fail.</summary>
    /// <returns>What was written.</returns>
    public Task<string> AssertFailsAsync(string filter) => DotnetCommand.AssertFailsAsync(Path, TestArguments(filter));

    public void Dispose() => directory.Dispose();

    /// <summary>The text with each hunk of the block applied; hunks are separated by <c>@@</c>.</summary>
    internal static string Changed(string text, DocumentBlock block)
    {
        var lines = text.Split('\n').ToList();
        foreach (var hunk in block.Hunks)
        {
            var old = hunk.Where(line => !line.StartsWith('+')).Select(Content).ToList();
            var next = hunk.Where(line => !line.StartsWith('-')).Select(Content).ToList();
            var places = Enumerable.Range(0, lines.Count - old.Count + 1)
                .Where(at => lines.Skip(at).Take(old.Count).SequenceEqual(old)).ToList();
            Assert.True(
                old.Count > 0 && places.Count == 1,
                $"{block.Path} must have these lines once, not {places.Count} times:\n{string.Join('\n', old)}");
            lines.RemoveRange(places[0], old.Count);
            lines.InsertRange(places[0], next);
        }
        return string.Join('\n', lines);

        static string Content(string line) => line.Length == 0 ? line : line[1..];
    }

    private static string[] TestArguments(string filter) =>
    [
        "test",
        "--no-build",
        "--nologo",
        "--filter",
        $"FullyQualifiedName!~Benchmark&{filter}",
        "--",
        "RunConfiguration.TreatNoTestsAsError=true",
    ];

    private static string SectionOf(string document, string heading)
    {
        var level = heading.TakeWhile(c => c == '#').Count();
        var start = Regex.Match(document, $"^{Regex.Escape(heading)}\n", RegexOptions.Multiline);
        Assert.True(start.Success, $"there is no heading \"{heading}\"");
        var rest = document[(start.Index + start.Length)..];
        var end = Regex.Match(rest, $"^#{{1,{level}}} (?=[A-Z])", RegexOptions.Multiline);
        return end.Success ? rest[..end.Index] : rest;
    }

    private async Task RunAsync(string[] command)
    {
        switch (command)
        {
            case ["dotnet", .. var arguments]:
                await DotnetCommand.AssertRunsAsync(Path, arguments);
                break;
            case ["rm", "-r", .. var folders]:
                Array.ForEach(folders, folder => Directory.Delete(PathOf(folder), recursive: true));
                break;
            case ["rm", .. var files]:
                Array.ForEach(files, file => Array.ForEach(Files(file), File.Delete));
                break;
            case ["mkdir", var folder]:
                Directory.CreateDirectory(PathOf(folder));
                break;
            case ["mv", var from, var to]:
                Move(from, PathOf(to));
                break;
            case ["cp", "-r", var from, var to]:
                CopyFolder(PathOf(from), PathOf(to));
                break;
            default:
                Assert.Fail($"a document may not run: {string.Join(' ', command)}");
                break;
        }
    }

    /// <param name="from">A folder, which gets a new name; or files, which go into a folder.</param>
    /// <param name="to">The name or the folder.</param>
    private void Move(string from, string to)
    {
        if (Directory.Exists(PathOf(from)))
        {
            Directory.Move(PathOf(from), to);
            return;
        }
        foreach (var file in Files(from))
        {
            File.Move(file, System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)));
        }
    }

    /// <param name="name">Of a file that must be there, or of several with <c>*</c>.</param>
    private string[] Files(string name)
    {
        var file = PathOf(name);
        var found = Directory.GetFiles(System.IO.Path.GetDirectoryName(file)!, System.IO.Path.GetFileName(file));
        Assert.True(found.Length > 0, $"there is no {name}");
        return found;
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).ToList())
        {
            var target = System.IO.Path.Combine(to, System.IO.Path.GetRelativePath(from, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}

/// <summary>A block of code in a document.</summary>
/// <param name="Path">The file that it belongs to; null when none is named.</param>
/// <param name="Language">Behind the fence.</param>
/// <param name="Text">Without the fence and its indentation.</param>
internal sealed partial record DocumentBlock(string? Path, string Language, string Text)
{
    private static readonly string[] Carried = ["csharp", "diff", "json", "sh", "sql", "xml", "yaml"];

    public IReadOnlyList<string> Lines => Text.TrimEnd('\n').Split('\n');

    /// <summary>The lines of each change of a <c>diff</c>.</summary>
    public IEnumerable<IReadOnlyList<string>> Hunks =>
        Text.TrimEnd('\n').Split("\n@@\n").Select(hunk => hunk.Split('\n'));

    /// <summary>The blocks of a section that can be carried out, in order.</summary>
    public static IReadOnlyList<DocumentBlock> Read(string section)
    {
        var blocks = new List<DocumentBlock>();
        var above = 0;
        foreach (Match block in Fence().Matches(section))
        {
            var indent = block.Groups["indent"].Value;
            var text = Regex.Replace(block.Groups["text"].Value, $"^{indent}", "", RegexOptions.Multiline);
            var path = FileName().Matches(section[above..block.Index]).LastOrDefault()?.Groups["path"].Value;
            above = block.Index + block.Length;
            if (Carried.Contains(block.Groups["language"].Value))
            {
                blocks.Add(new DocumentBlock(path, block.Groups["language"].Value, text));
            }
        }
        return blocks;
    }

    [GeneratedRegex("^(?<indent> *)```(?<language>[a-z]+)\n(?<text>.*?)^ *```$",
        RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("`(?<path>[\\w./-]+\\.[a-z]+)`")]
    private static partial Regex FileName();
}
