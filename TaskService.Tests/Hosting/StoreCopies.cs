using TaskService.Domain;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>Storages in a directory of the test, and copies of one to another.</summary>
public abstract class StoreCopies : IDisposable
{
    private protected TemporaryDirectory Files { get; } = new();

    public void Dispose()
    {
        Files.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected Task<RunningService> StartAsync(string engine, string place) =>
        RunningService.StartAsync($"{engine}: '{Files.File(place)}'");

    /// <summary>All files but links, and the index of a log of SQLite, which readers write.</summary>
    private protected Dictionary<string, string> Contents() => Directory
        .GetFileSystemEntries(Files.Path, "*", new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = FileAttributes.ReparsePoint,
        })
        .Where(path => !path.EndsWith("-shm", StringComparison.Ordinal))
        .ToDictionary(path => path, path => File.Exists(path) ? Convert.ToHexString(File.ReadAllBytes(path)) : "");

    /// <returns>The line that the command ends with.</returns>
    private protected async Task<string> CopyAsync(string from, string to)
    {
        using var process = ServiceProcess.Start(Files.Path, "copy", "--from", from, "--to", to);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Empty(process.Errors);
        return Assert.Single(process.Output);
    }

    private protected async Task<string> FailAsync(int code, params string[] args)
    {
        using var process = ServiceProcess.Start(Files.Path, args);
        Assert.Equal(code, await process.ExitAsync());
        return string.Join('\n', process.Errors);
    }

    /// <summary>In this process: paths are made absolute.</summary>
    private protected Task<int> RunAsync(string from, string to) =>
        StoreCopy.RunAsync(Absolute(from), Absolute(to), TextWriter.Null, progress: null);

    private protected async Task<string> RefusedAsync(string from, string to) =>
        (await Assert.ThrowsAsync<StorageException>(() => RunAsync(from, to))).Message;

    private protected async Task AssertRefusedAsync(string from, string problem, string to)
    {
        var before = Contents();
        Assert.Contains(problem, await RefusedAsync(from, to), StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    private protected async Task AssertSamePlaceAsync(string from, string to)
    {
        var before = Contents();
        // Of an empty one, "copied 0 tasks" would be wrong as well.
        Assert.EndsWith(
            "is the place that --from names; nothing was copied",
            await RefusedAsync(from, to),
            StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    /// <param name="place">Such as <c>fs:store</c>; one of no file has braces.</param>
    private string Absolute(string place) =>
        place.Split(':', 2) is [var engine, not ['{', ..] and var path] ? $"{engine}:{Files.Path}/{path}" : place;
}
