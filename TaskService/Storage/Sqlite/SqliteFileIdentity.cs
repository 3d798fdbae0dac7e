using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Whether the file that was opened, and its log, still have their names, as far as the system can tell (Linux). SQLite
/// goes on writing into what was removed, and with the process all that was acknowledged meanwhile would be gone. One
/// that opens another file of the name would even remove the log beside it.
/// </summary>
internal sealed class SqliteFileIdentity
{
    private const string Descriptors = "/proc/self/fd";

    private readonly HashSet<string> openBefore;
    private readonly string? descriptor;
    private string? logDescriptor;

    private SqliteFileIdentity(string path, HashSet<string> openBefore)
    {
        (Path, this.openBefore) = (path, openBefore);
        descriptor = DescriptorOf(path);
    }

    /// <summary>Of the file, as SQLite sees it: without links on the way.</summary>
    public string Path { get; }

    private string LogPath => Path + "-wal";

    /// <summary>Opens the file.</summary>
    public static (SqliteSession Session, SqliteFileIdentity Place) Open(string path, bool isReadOnly)
    {
        var before = OpenFiles().ToHashSet(StringComparer.Ordinal);
        var session = new SqliteSession(path, isReadOnly: isReadOnly);
        var real = (string)session.Scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")!;
        return (session, new SqliteFileIdentity(real, before));
    }

    /// <summary>Watches the log as well, which is open from the first transaction on.</summary>
    public void WatchLog() => logDescriptor = DescriptorOf(LogPath);

    /// <exception cref="StorageException">It was removed, or something else has its name.</exception>
    public void ThrowIfMoved()
    {
        if (descriptor is not null && TargetOf(descriptor) != Path)
        {
            throw Moved(Path);
        }
        if (logDescriptor is not null && TargetOf(logDescriptor) != LogPath)
        {
            throw Moved(LogPath);
        }
    }

    private static StorageException Moved(string path) => new(
        ErrorKind.StorageUnavailable, $"{path} is not the file that was opened any more; restart to open it");

    private string? DescriptorOf(string target) =>
        OpenFiles().FirstOrDefault(file => !openBefore.Contains(file) && TargetOf(file) == target);

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
