using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace TaskService.Storage.FileSystem;

/// <summary>The identity of files and directories, whatever names and links lead to them.</summary>
internal static partial class FileIdentity
{
    private const int WorkingDirectory = -100;
    private const uint MaskInode = 0x100;

    // struct statx of Linux, which is the same on all processors; .NET has no call that returns the inode.
    private const int StatxBytes = 256;
    private const int InodeAt = 32;
    private const int DeviceAt = 136;

    /// <summary>Whether both exist and are the same; only on Linux, hard links and mounts are detected.</summary>
    public static bool AreSame(string one, string other) => OperatingSystem.IsLinux()
        ? IdOf(one) is { } id && id == IdOf(other)
        : string.Equals(TargetOf(one), TargetOf(other), StringComparison.OrdinalIgnoreCase);

    /// <returns>Device and inode; null when there is no such file.</returns>
    private static (ulong Device, ulong Inode)? IdOf(string path)
    {
        Span<byte> status = stackalloc byte[StatxBytes];
        return Statx(WorkingDirectory, path, 0, MaskInode, status) == 0
            ? (BinaryPrimitives.ReadUInt64LittleEndian(status[DeviceAt..]),
                BinaryPrimitives.ReadUInt64LittleEndian(status[InodeAt..]))
            : null;
    }

    private static string TargetOf(string path)
    {
        FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        var target = info.Exists ? info.ResolveLinkTarget(returnFinalTarget: true) : null;
        return Path.TrimEndingDirectorySeparator((target ?? info).FullName);
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> status);
}
