using System.Diagnostics.Metrics;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>Reading the directory at start.</summary>
internal sealed partial class FileStore<T>
{
    private const long FileBytesMax = 1024 * 1024;
    private const int ProgressFiles = 10_000;

    private void Load(string path, CancellationToken cancel)
    {
        var entries = new DirectoryInfo(path).EnumerateFileSystemInfos()
            .Where(entry => entry.Name.EndsWith(Suffix, StringComparison.OrdinalIgnoreCase))
            .ToList();
        var twins = entries.CountBy(IdOf, StringComparer.OrdinalIgnoreCase)
            .Where(names => names.Value > 1)
            .Select(names => names.Key)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var count = 0;
        var options = new ParallelOptions { CancellationToken = cancel };
        Parallel.ForEach(entries, options, entry =>
        {
            LoadFile(entry, twins.Contains(IdOf(entry)));
            if (Interlocked.Increment(ref count) is var loaded && loaded % ProgressFiles == 0)
            {
                engine.Logger.LogInformation(
                    "Read {Count} of {Total} files in {Directory}", loaded, entries.Count, path);
            }
        });
    }

    private void LoadFile(FileSystemInfo entry, bool hasTwin)
    {
        var id = IdOf(entry);
        taken[id] = true;
        if (ReadFile(entry, id, hasTwin, out var problem) is { } value)
        {
            table.Add(new Stored<T>(id, value));
            engine.References.AddLoaded(entity, value);
            return;
        }
        FileCounts.NotServed.Add(1);
        engine.Logger.LogWarning("File {File} is not served and not touched: {Reason}", entry.FullName, problem);
    }

    private static string IdOf(FileSystemInfo entry) => entry.Name[..^Suffix.Length];

    private T? ReadFile(FileSystemInfo entry, string id, bool hasTwin, out string? problem)
    {
        // A pipe or a device, whose length is 0, must not be opened.
        problem = entry is not FileInfo file ? "it is a directory"
            : file.LinkTarget is not null ? "it is a symbolic link"
            : !entry.Name.EndsWith(Suffix, StringComparison.Ordinal) || !IdGenerator.IsValid(id)
                ? "its name is not an id"
            : hasTwin ? "another file's name differs from it in case only"
            : file.Length == 0 ? "it is empty"
            : file.Length > FileBytesMax ? $"it has {file.Length} bytes, more than {FileBytesMax}"
            : null;
        if (problem is not null)
        {
            return null;
        }
        try
        {
            return entity.FromFile(File.ReadAllBytes(entry.FullName), out problem);
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException
            or InvalidOperationException)
        {
            problem = error.Message;
            return null;
        }
    }
}

internal static class FileCounts
{
    private static readonly Meter Meter = new("TaskService");

    public static Counter<long> NotServed { get; } = Meter.CreateCounter<long>(
        "taskservice.storage.files.not_served", "{file}", "Files that were damaged or foreign when they were read.");
}
