using System.Runtime.InteropServices;
using SQLitePCL;
using TaskService.Domain;

namespace TaskService.Storage.Sqlite;

/// <summary>
/// The SQLite library of the system, which the system's own updates keep safe; none comes with the program.
/// </summary>
internal static class SqliteLibrary
{
    // 3.37, for STRICT tables.
    private const int VersionMin = 3_037_000;

    private static readonly Lazy<string?> Problem = new(Load);

    /// <exception cref="StorageException">It is not there, or too old; the message names what to install.</exception>
    public static void Require()
    {
        if (Problem.Value is { } problem)
        {
            throw new StorageException(ErrorKind.StorageUnavailable, $"task-db.sqlite: {problem}");
        }
    }

    /// <returns>What is wrong; null when nothing is.</returns>
    private static string? Load()
    {
        var (names, package) =
            OperatingSystem.IsWindows() ? (["winsqlite3.dll", "sqlite3.dll"], "put sqlite3.dll beside the program")
            : OperatingSystem.IsMacOS() ? (["/usr/lib/libsqlite3.dylib", "libsqlite3.dylib"], "brew install sqlite")
            : (
                new[] { "libsqlite3.so.0", "libsqlite3.so" },
                "apt-get install libsqlite3-0 (Debian, Ubuntu), dnf install sqlite-libs (Fedora) or apk add sqlite-libs"
                + " (Alpine)");
        nint library = 0;
        if (!Array.Exists(names, name => NativeLibrary.TryLoad(name, out library)))
        {
            return $"the SQLite library is not there ({string.Join(", ", names)}): {package}";
        }
        var provider = new SQLite3Provider_e_sqlite3();
        NativeLibrary.SetDllImportResolver(provider.GetType().Assembly, (_, _, _) => library);
        raw.SetProvider(provider);
        return raw.sqlite3_libversion_number() < VersionMin
            ? $"the SQLite library is {raw.sqlite3_libversion().utf8_to_string()}, 3.37 is needed: {package}"
            : null;
    }
}
