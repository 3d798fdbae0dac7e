using TaskService.Tests.Support;

namespace TaskService.Tests.Template;

/// <summary>The template, packed and installed apart from the user's own, and the services that it makes.</summary>
public sealed class TemplateFixture : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, GeneratedService> services = [];

    public async ValueTask InitializeAsync()
    {
        await DotnetCommand.AssertRunsAsync(TestRoot.Path, "pack", "template", "-o", directory.Path);
        await RunNewAsync("install", Assert.Single(Directory.GetFiles(directory.Path, "*.nupkg")));
    }

    /// <summary>A service of this name, made when it is first asked for.</summary>
    public async Task<GeneratedService> GenerateAsync(string name)
    {
        if (!services.TryGetValue(name, out var service))
        {
            var folder = directory.File(name);
            await RunNewAsync("taskservice", "-n", name, "-o", folder, "--no-update-check");
            var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
                .ToDictionary(file => Path.GetRelativePath(folder, file).Replace('\\', '/'), File.ReadAllText);
            services[name] = service = new GeneratedService(folder, files);
        }
        return service;
    }

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    private Task RunNewAsync(params string[] arguments) => DotnetCommand.AssertRunsAsync(
        directory.Path, ["new", .. arguments, "--debug:custom-hive", directory.File("hive")]);
}

/// <param name="Folder">Where it is.</param>
/// <param name="Files">What was in it before anything was built: relative paths with slashes, and the text.</param>
public sealed record GeneratedService(string Folder, IReadOnlyDictionary<string, string> Files);
