using System.Runtime.Versioning;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>Files and directories of an engine that the service may not write to.</summary>
/// <param name="engine">As in the configuration.</param>
/// <param name="place">In the directory <c>store</c>, or that itself.</param>
[UnsupportedOSPlatform("windows")]
public abstract class ReadOnlyPlaces(string engine, string place) : IDisposable
{
    protected const UnixFileMode ReadOnlyFile = UnixFileMode.UserRead;
    protected const UnixFileMode ReadOnlyDirectory = UnixFileMode.UserRead | UnixFileMode.UserExecute;
    protected const UnixFileMode All = ReadOnlyDirectory | UnixFileMode.UserWrite;

    private protected TemporaryDirectory Files { get; } = new();

    public void Dispose()
    {
        foreach (var made in Directory.GetDirectories(Files.Path, "*", SearchOption.AllDirectories))
        {
            File.SetUnixFileMode(made, All);
        }
        Files.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected async Task CreateAsync()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "permissions of Unix");
        await (await RunningService.StartAsync($"{engine}: '{Files.File(place)}'")).DisposeAsync();
    }

    /// <summary>The start ends with one line, and changes nothing.</summary>
    private protected async Task AssertDoesNotStartAsync(string path, UnixFileMode mode, string problem)
    {
        File.SetUnixFileMode(Files.File(path), mode);
        var before = Directory.GetFileSystemEntries(Files.File("store"));
        using var process = Start();
        Assert.Equal(1, await process.ExitAsync());
        var line = Assert.Single(process.Errors);
        Assert.StartsWith($"taskservice: task-db.{engine}: {place} ", line, StringComparison.Ordinal);
        Assert.Contains(problem, line, StringComparison.Ordinal);
        Assert.Equal(before.Order(), Directory.GetFileSystemEntries(Files.File("store")).Order());
    }

    private protected ServiceProcess Start()
    {
        File.WriteAllText(Files.File("c.yaml"), $"task-db: {{ {engine}: {place} }}\n");
        return ServiceProcess.StartUnprivileged(Files.Path, "-c", "c.yaml", "-p", "0");
    }
}
