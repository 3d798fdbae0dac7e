using System.Diagnostics;
using System.Runtime.InteropServices;

namespace TaskService.Tests.Support;

/// <summary>A file system of a test's own, where the machine lets tests mount one.</summary>
internal sealed partial class Mount : IDisposable
{
    // linux/fs.h: FS_IOC_SHUTDOWN, and FS_SHUTDOWN_FLAGS_NOLOGFLUSH: what is not on the disk by now never gets there.
    private const nuint Shutdown = 0x8004587d;
    private const uint NoLogFlush = 2;
    private const int CloseOnExec = 0x80000;

    private readonly string[] how;

    private Mount(string path, params string[] how)
    {
        (Path, this.how) = (path, how);
        Directory.CreateDirectory(path);
        SkipWhenRefused(Run("mount", [.. how, Path]));
    }

    public string Path { get; }

    /// <summary>In memory.</summary>
    /// <param name="path">Where.</param>
    /// <param name="size">As mount takes it, such as 512k, with more options behind a comma.</param>
    public static Mount Tmpfs(string path, string size) => new(path, "-t", "tmpfs", "-o", $"size={size}", "tmpfs");

    /// <summary>
    /// On a disk of its own, in a file, on which nothing gets before it must: the time is long, and a rename does not
    /// write the file that it renames.
    /// </summary>
    public static Mount Ext4(string path)
    {
        var image = path + ".img";
        using (var file = File.Create(image))
        {
            file.SetLength(64 * 1024 * 1024);
        }
        var error = Run("mkfs.ext4", "-q", image);
        Assert.SkipWhen(error is not null, $"needs mkfs.ext4 (apt-get install e2fsprogs): {error}");
        return new Mount(path, "-t", "ext4", "-o", "loop,noauto_da_alloc,commit=600", image);
    }

    /// <summary>For those who mount something in a process that sees it alone.</summary>
    public static void SkipUnlessAllowed() => SkipWhenRefused(Run("unshare", "-m", "true"));

    /// <summary>Loses what is not on the disk, as a power cut does. <see cref="AgainAsync"/> is to follow.</summary>
    public void CutPower()
    {
        var directory = Open(Path, CloseOnExec);
        Assert.True(directory >= 0, $"{Path} cannot be opened");
        var flags = NoLogFlush;
        Assert.True(Ioctl(directory, Shutdown, ref flags) == 0, $"no shutdown: errno {Marshal.GetLastPInvokeError()}");
        _ = Close(directory);
    }

    /// <summary>As after a restart of the machine.</summary>
    public async Task AgainAsync()
    {
        // Processes that start at this moment have everything open for an instant.
        await Until.TrueAsync(() => Run("umount", Path) is null, $"the end of {Path}");
        // Those that have mounts of their own have this one, too, and mount would find it again as it was cut.
        await Until.TrueAsync(() => Loops() is "", $"the end of the disk of {Path}");
        var error = Run("mount", [.. how, Path]);
        Assert.True(error is null, error);
    }

    public void Dispose() => _ = Run("umount", "-l", Path);

    /// <returns>The devices that the disk has: none when no process on this machine has it mounted.</returns>
    private string Loops()
    {
        using var process = Process.Start(
            new ProcessStartInfo("losetup", ["-j", how[^1]]) { RedirectStandardOutput = true })!;
        var devices = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return devices;
    }

    private static void SkipWhenRefused(string? error) =>
        Assert.SkipWhen(error is not null, $"this machine does not let tests mount a file system: {error}");

    /// <returns>What it said, when it failed.</returns>
    private static string? Run(string command, params string[] args)
    {
        try
        {
            var start = new ProcessStartInfo(command, args) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : said;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            // There is no such command.
            return error.Message;
        }
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(int handle, nuint request, ref uint argument);
}
