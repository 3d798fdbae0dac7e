using System.Globalization;
using Microsoft.Data.Sqlite;
using TaskService.Domain;
using TaskService.Storage.FileSystem;

namespace TaskService.Storage.Sqlite;

/// <summary>Copies the file beside itself, before data is removed or rewritten.</summary>
/// <param name="identity">Of the open file.</param>
/// <param name="logger">Gets a line with the name of each copy.</param>
internal sealed class SqliteBackup(SqliteFileIdentity identity, ILogger logger)
{
    private readonly string path = identity.Path;

    /// <summary>
    /// Makes a snapshot of the committed data, page by page: one file without a log, synced. The caller holds the write
    /// lock, so that no change comes between the copy and the step.
    /// </summary>
    /// <param name="step">Comes next; the copy is named <c>FILE.before-STEP</c>, with a number behind it when that
    /// exists already.</param>
    /// <exception cref="StorageException">The copy cannot be made.</exception>
    public void Make(string step)
    {
        var name = $"{path}.before-{step}";
        var unfinished = name + ".tmp";
        try
        {
            Delete(unfinished);
            Copy(unfinished);
            var copy = FreeName(name);
            File.Move(unfinished, copy, overwrite: false);
            using (var directory = Durable.OpenDirectory(Path.GetDirectoryName(path)!))
            {
                if (directory is not null)
                {
                    Durable.Sync(directory);
                }
            }
            logger.LogWarning("Copied {Path} to {Copy}, since {Step} removes or rewrites data", path, copy, step);
        }
        catch (Exception error) when (error is SqliteException or IOException or UnauthorizedAccessException)
        {
            try
            {
                Delete(unfinished);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // The next backup deletes it; the first error is the one to report.
            }
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"{step} removes or rewrites data, and no copy of the file can be made before: {error.Message}",
                error);
        }
    }

    private void Copy(string target)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            // The copy has the permissions of the file.
            options.UnixCreateMode = File.GetUnixFileMode(path);
        }
        new FileStream(target, options).Dispose();
        using (var source = new SqliteSession(path, identity))
        using (var copy = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = target, Pooling = false }.ToString()))
        {
            copy.Open();
            source.Connection.BackupDatabase(copy);
            using var command = copy.CreateCommand();
            // Otherwise the copy would get a write-ahead log as soon as it is opened.
            command.CommandText = "PRAGMA journal_mode = DELETE";
            command.ExecuteNonQuery();
        }
        using var file = File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite);
        Durable.Sync(file);
    }

    private static string FreeName(string name)
    {
        var free = name;
        for (var number = 2; Path.Exists(free); number++)
        {
            free = string.Create(CultureInfo.InvariantCulture, $"{name}-{number}");
        }
        return free;
    }

    private static void Delete(string unfinished)
    {
        foreach (var suffix in new[] { "", "-journal", "-wal", "-shm" })
        {
            File.Delete(unfinished + suffix);
        }
    }
}
