using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Whether the file that was opened still has its name, as far as the system can tell (Linux). SQLite goes on writing
/// into one that was removed, and with the process all that was acknowledged meanwhile would be gone.
/// </summary>
internal sealed class SqlitePlace
{
    private const string Descriptors = "/proc/self/fd";

    private readonly string path;
    private readonly string? descriptor;

    private SqlitePlace(string path, string? descriptor) => (this.path, this.descriptor) = (path, descriptor);

    /// <summary>Opens the file.</summary>
    public static (SqliteSession Session, SqlitePlace Place) Open(string path)
    {
        var before = OpenFiles().ToHashSet(StringComparer.Ordinal);
        var session = new SqliteSession(path);
        // As SQLite sees it, without links on the way.
        var real = (string)session.Scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")!;
        var own = OpenFiles().FirstOrDefault(file => !before.Contains(file) && TargetOf(file) == real);
        return (session, new SqlitePlace(real, own));
    }

    /// <exception cref="StorageException">It was removed, or something else has its name.</exception>
    public void ThrowIfMoved()
    {
        if (descriptor is not null && TargetOf(descriptor) != path)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"{path} is not the file that was opened any more; restart to open it");
        }
    }

    private static string[] OpenFiles() =>
        OperatingSystem.IsLinux() && Directory.Exists(Descriptors) ? Directory.GetFiles(Descriptors) : [];

    private static string? TargetOf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            // It was closed meanwhile, so it is no longer what we look for.
            return null;
        }
    }
}
