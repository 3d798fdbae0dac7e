using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>Reading the directory at start.</summary>
internal sealed partial class FileTaskStore
{
    private const long FileBytesMax = 1024 * 1024;

    private void Load(string path, CancellationToken cancel)
    {
        foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos())
        {
            cancel.ThrowIfCancellationRequested();
            if (entry.Name.EndsWith(Suffix, StringComparison.OrdinalIgnoreCase))
            {
                LoadFile(entry);
            }
        }
    }

    private void LoadFile(FileSystemInfo entry)
    {
        var id = entry.Name[..^Suffix.Length];
        if (ReadTask(entry, id, out var problem) is { } task)
        {
            table.Add(new StoredTask(id, task));
            return;
        }
        foreign.Add(id);
        logger.LogWarning("File {File} is not served and not touched: {Reason}", entry.FullName, problem);
    }

    private static TaskEntry? ReadTask(FileSystemInfo entry, string id, out string? problem)
    {
        problem = entry is not FileInfo file ? "it is a directory"
            : !entry.Name.EndsWith(Suffix, StringComparison.Ordinal) || !TaskIds.IsValid(id) ? "its name is not an id"
            : file.Length > FileBytesMax ? $"it has {file.Length} bytes, more than {FileBytesMax}"
            : null;
        if (problem is not null)
        {
            return null;
        }
        try
        {
            var row = JsonSerializer.Deserialize(File.ReadAllBytes(entry.FullName), TaskRowJson.File.TaskRow);
            if (row is null)
            {
                problem = "it holds null";
                return null;
            }
            return row.TryToDomain(out var task, out problem) ? task : null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException
            or InvalidOperationException)
        {
            problem = error.Message;
            return null;
        }
    }
}
