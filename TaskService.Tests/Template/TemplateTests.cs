using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Template;

/// <summary>
/// Services that <c>dotnet new</c> generates from this repository. One is built after the other, and beside no other
/// test, which might measure time.
/// </summary>
[Trait("Suite", "template")]
[Collection(nameof(TemplateTests))]
[CollectionDefinition(nameof(TemplateTests), DisableParallelization = true)]
public sealed class TemplateTests(TemplateFixture template) : IClassFixture<TemplateFixture>
{
    [Theory]
    [InlineData("Acme.Orders")]
    [InlineData("my-svc")]
    public async Task Nothing_of_the_old_name_is_left(string name)
    {
        var service = await template.GenerateAsync(name);

        var left = service.Files.Keys.Where(IsOld).Concat(
            from file in service.Files
            from line in file.Value.Split('\n').Index()
            where IsOld(line.Item)
            select $"{file.Key}:{line.Index + 1}: {line.Item.Trim()}");
        AssertNone(left);

        static bool IsOld(string text) => text.Contains("TaskService", StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("Acme.Orders", "Acme.Orders", "acme.orders", "acme.orders", "ACME_ORDERS")]
    [InlineData("my-svc", "my_svc", "my_svc", "my-svc", "MY_SVC")]
    public async Task Each_form_of_the_name_stands_where_it_belongs(
        string name, string rootNamespace, string logger, string lockedProject, string environment)
    {
        var service = await template.GenerateAsync(name);

        Holds($"{name}.sln", $"\"{name}.Tests\\{name}.Tests.csproj\"");
        Holds($"{name}/{name}.csproj", $"<InternalsVisibleTo Include=\"{name}.Tests\" />");
        Holds($"{name}/packages.lock.json", $"\"{lockedProject}.telemetry\": {{");
        Holds($"{name}/Program.cs", $"namespace {rootNamespace};");
        Holds($"{name}/Program.cs", $"using {rootNamespace}.Domain;");
        Holds($"{name}/Configuration/LoggingSettings.cs", $"\"{logger}\"");
        Holds($"{name}/Configuration/EnvironmentConfig.cs", $"\"{environment}__\"");
        Holds("configs/todoList-local.yaml", $"    {logger}: {{");
        Holds(".editorconfig", $"[{name}.Tests/**.cs]");

        void Holds(string file, string text) => Assert.Contains(text, service.Files[file], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Acme.Orders")]
    [InlineData("my-svc")]
    public async Task Sources_are_generated_and_the_template_is_not(string name)
    {
        var files = (await template.GenerateAsync(name)).Files;

        string[] hidden = [".editorconfig", ".gitattributes", ".gitignore"];
        Assert.Superset(hidden.ToHashSet(), files.Keys.ToHashSet());
        string[] folders = [".git", ".template.config", "artifacts", "bin", "logs", "obj", "template", "Template"];
        AssertNone(files.Keys.Where(file => file.Split('/').SkipLast(1).Any(folders.Contains)));
    }

    [Theory]
    [InlineData("Acme.Orders")]
    [InlineData("my-svc")]
    public async Task The_script_of_continuous_integration_can_be_run(string name)
    {
        var script = Path.Combine((await template.GenerateAsync(name)).Folder, ".ci", "run");

        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(script).HasFlag(UnixFileMode.UserExecute));
    }

    /// <summary>By default, the template engine removes lines that look like <c>#if</c>.</summary>
    [Theory]
    [InlineData("Acme.Orders")]
    [InlineData("my-svc")]
    public async Task No_line_is_lost(string name)
    {
        var files = (await template.GenerateAsync(name)).Files;

        AssertNone(files.Where(file => Lines(file.Value) != Lines(Source(file.Key))).Select(file => file.Key)
            .Except(["README.md"]));
        // It only leaves out how to make a service of the template.
        Assert.DoesNotContain("dotnet new", files["README.md"], StringComparison.Ordinal);
        Assert.Contains("## Where to go next", files["README.md"], StringComparison.Ordinal);

        string Source(string file)
        {
            // Names of files for other programs are in lower case.
            var lower = name.ToLowerInvariant().Replace('-', '_');
            return File.ReadAllText(TestRoot.File(file.Replace(name, "TaskService", StringComparison.Ordinal)
                .Replace($"/{lower}.", "/taskservice.", StringComparison.Ordinal)));
        }

        static int Lines(string text) => text.Count(c => c == '\n');
    }

    [Fact]
    public async Task A_generated_service_builds_without_warnings_and_passes_its_tests()
    {
        var service = await template.GenerateAsync("my-svc");
        var folder = service.Folder;
        AddEndpoint(folder, service.Files["README.md"]);

        await AssertBuildsAsync(folder);
        // A name matters where names are read, compared or shown; how engines and servers fail is the same.
        const string named = "FullyQualifiedName~.Tidy.|FullyQualifiedName~.Docs.|FullyQualifiedName~.Configuration."
            + "|FullyQualifiedName~.Tasks.|FullyQualifiedName~.Hosting.|FullyQualifiedName~.OpenApi.";
        await AssertTestsPassAsync(
            folder,
            TestRoot.IsSoak ? "Suite!=soak" : $"Suite!=integration&Suite!=long&Suite!=soak&Suite!=template&({named})");
    }

    /// <summary>Parts of these names are keywords, types or namespaces.</summary>
    [Theory]
    [Trait("Suite", "soak")]
    [InlineData("Acme.Orders")]
    [InlineData("Acme.Task")]
    [InlineData("Acme.Storage")]
    [InlineData("Acme.System")]
    [InlineData("acme.event")]
    public async Task A_service_of_any_name_builds_without_warnings(string name)
    {
        var folder = (await template.GenerateAsync(name)).Folder;

        await AssertBuildsAsync(folder);
        await AssertTestsPassAsync(folder, "FullyQualifiedName~.Tidy.");
    }

    /// <summary>Does what the README says under "To add an endpoint".</summary>
    private static void AddEndpoint(string folder, string readme)
    {
        var section = readme[readme.IndexOf("### To add an endpoint", StringComparison.Ordinal)..];
        var code = Regex.Matches(section, "   ```csharp\n(?<code>.*?)   ```\n", RegexOptions.Singleline).Take(3)
            .Select(block => Regex.Replace(block.Groups["code"].Value, "^   ", "", RegexOptions.Multiline)).ToList();
        var files = Regex.Matches(section, "`(?<path>[^`]+/Tasks/TaskCount\\w*\\.cs)`").Take(2)
            .Select(file => file.Groups["path"].Value).ToList();
        File.WriteAllText(Path.Combine(folder, files[0]), code[0]);
        File.WriteAllText(Path.Combine(folder, files[1]), code[2]);
        var program = Path.Combine(folder, "my-svc", "Program.cs");
        var lines = File.ReadAllLines(program).ToList();
        lines.Insert(lines.FindIndex(line => line.Contains("app.MapTasks();", StringComparison.Ordinal)) + 1, code[1]);
        File.WriteAllLines(program, lines);
    }

    private static async Task AssertBuildsAsync(string folder)
    {
        await DotnetCommand.AssertRunsAsync(folder, "restore", "--locked-mode");
        await DotnetCommand.AssertRunsAsync(folder, "build", "--no-restore", "-warnaserror");
    }

    private static Task AssertTestsPassAsync(string folder, string filter) => DotnetCommand.AssertRunsAsync(
        folder,
        "test",
        "--no-build",
        "--filter",
        $"FullyQualifiedName!~Benchmark&{filter}",
        "--",
        "RunConfiguration.TreatNoTestsAsError=true");

    private static void AssertNone(IEnumerable<string> found)
    {
        var text = string.Join('\n', found);
        Assert.True(text.Length == 0, text);
    }
}
