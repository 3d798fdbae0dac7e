using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// Checks that the open file and its log still have their paths (on Linux only). SQLite goes on writing to a file that
/// was removed, and all changes acknowledged since would be lost at the end of the process. A connection that opens
/// another file at the path would even remove the log beside it.
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

    /// <summary>Of the file as SQLite resolves it: without symbolic links.</summary>
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

    /// <summary>Checks the log from now on as well; SQLite opens it at the first transaction.</summary>
    public void WatchLog() => logDescriptor = DescriptorOf(LogPath);

    /// <exception cref="StorageException">The file or its log was removed or replaced.</exception>
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
            // The descriptor was closed meanwhile.
            return null;
        }
    }
}
