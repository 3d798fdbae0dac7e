using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;
using TaskService.Tests.Tidy;

namespace TaskService.Tests.Operations;

/// <summary>What an operator can find out about a build, and how it gets there.</summary>
public sealed class VersionsTests : IDisposable
{
    private const string Secret = "0123456789abcdef";
    private const string Yaml = $"operations: {{ secret: {Secret} }}";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task A_build_knows_its_commit_and_its_packages()
    {
        await using var service = await RunningService.StartAsync(operations: $"secret: {Secret}");
        using var client = new HttpClient { BaseAddress = service.Client.BaseAddress };
        var versions = JsonNode.Parse(await GetAsync(client))!.AsObject();
        Assert.Equal(["main", "packages"], versions.Select(member => member.Key));
        var main = versions["main"]!.AsObject();
        Assert.True(main.ContainsKey("git_hash"));
        Assert.Matches("^([0-9a-f]{40})?$", (string?)main["git_hash"] ?? "");
        var props = SourceTree.Files.Single(file => file.Path == "Directory.Packages.props").Text;
        var version = Regex.Match(props, "\"YamlDotNet\" Version=\"([^\"]+)\"").Groups[1].Value;
        Assert.Equal(version, (string?)versions["packages"]!["YamlDotNet"]);
        // One that another one needs; and no project of the solution.
        Assert.NotNull(versions["packages"]!["Microsoft.Extensions.DependencyModel"]);
        Assert.DoesNotContain(
            versions["packages"]!.AsObject(), one => one.Key.Contains("telemetry", StringComparison.Ordinal));
    }

    [Theory]
    [Trait("Suite", "integration")]
    [InlineData("""{"git_hash":"3f2a"}""", "3f2a")]
    [InlineData("""{"git_hash":"3f2a","git_tag":"1.2"}""", "1.2", "3f2a")]
    public async Task A_file_of_a_tag_and_a_hash_is_written_and_served_beside_the_binary(
        string main, params string[] args)
    {
        using (var writer = ServiceProcess.Start(directory.Path, ["genversion", .. args]))
        {
            Assert.Equal(0, await writer.ExitAsync());
            Assert.Empty(writer.Output);
        }
        var text = await File.ReadAllTextAsync(directory.File("versions.json"));
        Assert.StartsWith("{\n  \"main\": {\n    \"git_hash\": \"3f2a\"", text, StringComparison.Ordinal);
        var versions = JsonNode.Parse(text)!;
        Assert.Equal(main, versions["main"]!.ToJsonString());
        Assert.NotNull(versions["packages"]!["YamlDotNet"]);

        await File.WriteAllTextAsync(directory.File("c.yaml"), $"task-db: {{ memory: }}\n{Yaml}\n");
        using var service = StartCopy();
        using var client = await service.ClientAsync();
        Assert.Equal(text, await GetAsync(client));
        using var refused = await client.GetAsync(new Uri("/ops/versions.json", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Theory]
    [Trait("Suite", "integration")]
    [InlineData("[1]", "is no JSON object")]
    [InlineData("{", "is no JSON: ")]
    public async Task A_file_that_cannot_be_served_ends_the_start_with_one_line(string text, string problem)
    {
        await File.WriteAllTextAsync(directory.File("versions.json"), text);
        await File.WriteAllTextAsync(directory.File("c.yaml"), $"task-db: {{ memory: }}\n{Yaml}\n");
        using var service = StartCopy();
        Assert.Equal(1, await service.ExitAsync());
        Assert.Contains($"versions.json {problem}", Assert.Single(service.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Suite", "integration")]
    [InlineData]
    [InlineData("1.2", "3f2a", "more")]
    public async Task A_hash_and_at_most_a_tag_are_needed(params string[] args)
    {
        using var writer = ServiceProcess.Start(directory.Path, ["genversion", .. args]);
        Assert.Equal(2, await writer.ExitAsync());
        Assert.False(File.Exists(directory.File("versions.json")));
    }

    [Fact]
    [Trait("Suite", "long")]
    public async Task The_build_takes_hash_and_tag_of_the_commit_and_needs_neither()
    {
        using var copy = new TreeCopy();
        Assert.Equal((null, null), await RevisionAsync(copy));
        await GitAsync(copy, "init", "--quiet");
        await GitAsync(
            copy, "-c", "user.name=n", "-c", "user.email=n@localhost", "commit", "--quiet", "--allow-empty", "-m", "m");
        var hash = await GitAsync(copy, "rev-parse", "HEAD");
        Assert.Equal((hash, null), await RevisionAsync(copy));
        await GitAsync(copy, "tag", "v1.2.3");
        Assert.Equal((hash, "v1.2.3"), await RevisionAsync(copy));
        Assert.Equal(("3f2a", "v4"), await RevisionAsync(copy, "-p:SourceRevisionId=3f2a", "-p:GitTag=v4"));
    }

    private static async Task<string> GetAsync(HttpClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/ops/versions.json", UriKind.Relative));
        request.Headers.Add("X-API-Key", Secret);
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    /// <summary>Starts a copy of the program, in the directory where its versions.json is.</summary>
    private ServiceProcess StartCopy()
    {
        foreach (var file in Directory.GetFiles(AppContext.BaseDirectory))
        {
            File.Copy(file, directory.File(Path.GetFileName(file)));
        }
        return ServiceProcess.StartShell(
            directory.Path, "exec ./$(basename \"$SERVICE\") -c c.yaml --port 0");
    }

    private static async Task<(string? Hash, string? Tag)> RevisionAsync(TreeCopy copy, params string[] properties)
    {
        var json = await DotnetCommand.AssertRunsAsync(
            copy.Path, [], ["msbuild", "TaskService", "-t:AddGitRevision", "-getItem:AssemblyMetadata", .. properties]);
        var items = JsonNode.Parse(json)!["Items"]!["AssemblyMetadata"]!.AsArray();
        return (ValueOf("GitHash"), ValueOf("GitTag"));

        string? ValueOf(string key) =>
            (string?)items.SingleOrDefault(item => (string?)item!["Identity"] == key)?["Value"];
    }

    private static async Task<string> GitAsync(TreeCopy copy, params string[] args)
    {
        using var git = Process.Start(new ProcessStartInfo("git", args)
        {
            WorkingDirectory = copy.Path,
            RedirectStandardOutput = true,
        })!;
        var output = await git.StandardOutput.ReadToEndAsync();
        await git.WaitForExitAsync();
        Assert.Equal(0, git.ExitCode);
        return output.Trim();
    }
}
