using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// System calls for durability: fsync of files and directories. The framework's own flushes ignore a failed fsync on
/// Linux, and it cannot open a directory.
/// </summary>
internal static partial class Durable
{
    // O_RDONLY, which is 0, and O_CLOEXEC: child processes do not inherit it.
    private const int OpenFlagsLinux = 0x80000;
    private const int OpenFlagsMac = 0x1000000;
    private const int FullSync = 51;
    private const int Interrupted = 4;
    // access(2): R_OK is 4.
    private const int MayWrite = 2;
    private const int MayEnter = 1;
    private const int ReadOnlyFileSystemError = 30;

    /// <summary>Syncs a file or a directory to the disk (fsync).</summary>
    /// <exception cref="IOException">The data may not be on the disk. A retry would succeed without writing
    /// it.</exception>
    public static void Sync(SafeFileHandle file)
    {
        var done = OperatingSystem.IsWindows() ? FlushFileBuffers(file)
            : OperatingSystem.IsMacOS() ? Retry(file, static f => Fcntl(f, FullSync))
            : Retry(file, Fsync);
        if (!done)
        {
            throw Failure("fsync");
        }
    }

    /// <summary>Opens a directory for <see cref="Sync"/>; null where directories cannot be synced (Windows).</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static SafeFileHandle? OpenDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }
        var handle = Open(path, OperatingSystem.IsMacOS() ? OpenFlagsMac : OpenFlagsLinux);
        return handle >= 0 ? new SafeFileHandle(handle, ownsHandle: true) : throw Failure($"open {path}");
    }

    /// <summary>Creates a directory and its missing parents, each one durable.</summary>
    /// <exception cref="IOException">It cannot be created.</exception>
    public static void CreateDirectory(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }
        var parent = Path.GetDirectoryName(path);
        if (parent is not null)
        {
            CreateDirectory(parent);
        }
        Directory.CreateDirectory(path);
        if (parent is not null)
        {
            using var handle = OpenDirectory(parent);
            if (handle is not null)
            {
                Sync(handle);
            }
        }
    }

    /// <summary>
    /// Checks whether this process may write to a file, or create files in a directory. Nothing is opened: closing a
    /// file would release the locks that SQLite has on it.
    /// </summary>
    /// <param name="path">Of the file or directory.</param>
    /// <param name="name">In the message, when it is not the path.</param>
    /// <exception cref="IOException">It may not. Never thrown on Windows.</exception>
    public static void RequireWritable(string path, string? name = null)
    {
        var mode = Directory.Exists(path) ? MayWrite | MayEnter : MayWrite;
        if (!OperatingSystem.IsWindows() && Access(path, mode) != 0)
        {
            throw Failure($"{name ?? path} may not be written to");
        }
    }

    /// <summary>
    /// Whether the file system is read-only, or has become so after an error. For a file that is already open, this
    /// matters and permissions do not.
    /// </summary>
    public static bool IsReadOnlyFileSystem(string path) => !OperatingSystem.IsWindows()
        && Access(path, MayWrite) != 0
        && Marshal.GetLastPInvokeError() == ReadOnlyFileSystemError;

    private static bool Retry(SafeFileHandle file, Func<SafeFileHandle, int> call)
    {
        int result;
        do
        {
            result = call(file);
        }
        while (result != 0 && Marshal.GetLastPInvokeError() == Interrupted);
        return result == 0;
    }

    private static IOException Failure(string what)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{what}: {new Win32Exception(error).Message}", error);
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle file);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);

    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool FlushFileBuffers(SafeFileHandle file);
}
