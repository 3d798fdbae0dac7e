using System.Diagnostics;
using System.Text;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

public sealed class LogFileTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    private string Path => directory.File("log");

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_file_that_would_grow_over_its_limit_is_rotated_at_the_end_of_a_line()
    {
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 10, BackupCount: 2)))
        {
            Write(file, "aaaa\n");
            Write(file, "bbbb\n");
            Write(file, "cccc\ndddd\neeee\n");
            Write(file, "ffff\n");
        }
        Assert.Equal("eeee\nffff\n", File.ReadAllText(Path));
        Assert.Equal("cccc\ndddd\n", File.ReadAllText(Path + ".1"));
        Assert.Equal("aaaa\nbbbb\n", File.ReadAllText(Path + ".2"));
    }

    [Fact]
    public void The_oldest_files_go()
    {
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 2, BackupCount: 2)))
        {
            Write(file, "a\nb\nc\nd\n");
        }
        Assert.Equal(
            ["log", "log.1", "log.2"],
            Directory.GetFiles(directory.Path).Select(System.IO.Path.GetFileName).Order());
        Assert.Equal(
            ("d\n", "c\n", "b\n"),
            (File.ReadAllText(Path), File.ReadAllText(Path + ".1"), File.ReadAllText(Path + ".2")));
    }

    [Fact]
    public void A_line_longer_than_the_limit_is_written_whole()
    {
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 4, BackupCount: 5)))
        {
            Write(file, "x\nlonger than that\ny\n");
        }
        Assert.Equal(
            ("y\n", "longer than that\n", "x\n"),
            (File.ReadAllText(Path), File.ReadAllText(Path + ".1"), File.ReadAllText(Path + ".2")));
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(4, 0)]
    public void Without_a_limit_or_a_place_for_old_files_it_only_grows(long bytesMax, int backupCount)
    {
        using (var file = new LogFile(new LogFileSettings(Path, bytesMax, backupCount)))
        {
            Write(file, "aaaa\n");
            Write(file, "bbbb\n");
        }
        Assert.Equal("aaaa\nbbbb\n", File.ReadAllText(Path));
    }

    [Fact]
    public void It_goes_on_where_it_ended()
    {
        foreach (var line in new[] { "a\n", "b\n" })
        {
            using var file = new LogFile(new LogFileSettings(Path, 100, 1));
            Write(file, line);
        }
        Assert.Equal("a\nb\n", File.ReadAllText(Path));
    }

    [Fact]
    public void A_file_that_was_moved_removed_replaced_or_truncated_is_opened_anew()
    {
        using var file = new LogFile(new LogFileSettings(Path, 0, 0));
        Write(file, "a\n");
        File.Move(Path, directory.File("moved"));
        Write(file, "b\n");
        Assert.Equal("b\n", File.ReadAllText(Path));
        File.Delete(Path);
        Write(file, "c\n");
        Assert.Equal("c\n", File.ReadAllText(Path));
        File.Move(Path, directory.File("moved2"));
        File.WriteAllText(Path, "");
        Write(file, "d\n");
        Assert.Equal("d\n", File.ReadAllText(Path));
        using (var truncate = new FileStream(Path, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite))
        {
            Assert.Equal(0, truncate.Length);
        }
        Write(file, "e\n");
        Assert.Equal("e\n", File.ReadAllText(Path));
        Assert.Equal("a\n", File.ReadAllText(directory.File("moved")));
    }

    [Fact]
    public void Where_it_cannot_be_rotated_it_goes_on_over_its_limit()
    {
        Directory.CreateDirectory(Path + ".1/full");
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 4, BackupCount: 1)))
        {
            Write(file, "aaa\n");
            Write(file, "bbb\n");
            Directory.Delete(Path + ".1", recursive: true);
            Write(file, "ccc\n");
        }
        Assert.Equal(("ccc\n", "aaa\nbbb\n"), (File.ReadAllText(Path), File.ReadAllText(Path + ".1")));
    }

    [Fact]
    public void Where_it_cannot_be_opened_for_a_while_it_says_how_far_it_got_and_tries_again()
    {
        using var file = new LogFile(new LogFileSettings(Path, 0, 0));
        File.Delete(Path);
        Directory.CreateDirectory(Path);
        Assert.Equal(0, file.Write("a\n"u8));
        Assert.Equal(0, file.Write("b\n"u8));
        Directory.Delete(Path);
        Write(file, "c\n");
        Assert.Equal("c\n", File.ReadAllText(Path));
    }

    [Fact]
    public void A_device_is_written_and_never_rotated()
    {
        Assert.SkipUnless(File.Exists("/dev/null"), "needs devices");
        File.CreateSymbolicLink(Path, "/dev/null");
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 4, BackupCount: 2)))
        {
            Write(file, "aaa\n");
            Write(file, "bbb\nccc\n");
        }
        Assert.Equal("/dev/null", new FileInfo(Path).LinkTarget);
        Assert.Equal([Path], Directory.GetFileSystemEntries(directory.Path));
        Assert.False(File.Exists("/dev/null.1"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_symbolic_link_stays_and_its_target_is_rotated(bool isThere)
    {
        var target = Directory.CreateDirectory(directory.File("elsewhere")).FullName + "/real";
        if (isThere)
        {
            File.WriteAllText(target, "0\n");
        }
        // By way of another one.
        File.CreateSymbolicLink(directory.File("between"), "elsewhere/real");
        File.CreateSymbolicLink(Path, directory.File("between"));
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 6, BackupCount: 2)))
        {
            Write(file, "aaa\n");
            Write(file, "bbb\n");
            Write(file, "ccc\n");
        }
        Assert.Equal(directory.File("between"), new FileInfo(Path).LinkTarget);
        Assert.Equal(
            ("ccc\n", "bbb\n", isThere ? "0\naaa\n" : "aaa\n"),
            (File.ReadAllText(Path), File.ReadAllText(target + ".1"), File.ReadAllText(target + ".2")));
        Assert.False(File.Exists(Path + ".1"));
    }

    [Theory]
    [InlineData("log.1", "link")]
    [InlineData("log.2", "pipe")]
    [InlineData("log.2", "directory")]
    public void What_is_no_file_of_ours_is_neither_renamed_nor_overwritten(string name, string kind)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/mkfifo"), "needs mkfifo");
        Make(kind, directory.File(name));
        File.WriteAllText(directory.File(name == "log.1" ? "log.2" : "log.1"), "");
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 4, BackupCount: 2)))
        {
            Write(file, "aaa\n");
            Write(file, "bbb\n");
            Assert.Equal("aaa\nbbb\n", File.ReadAllText(Path));
            Remove(kind, directory.File(name));
            Write(file, "ccc\n");
        }
        // An empty file is one all the same.
        Assert.Equal(("ccc\n", "aaa\nbbb\n"), (File.ReadAllText(Path), File.ReadAllText(Path + ".1")));
    }

    [Fact]
    public void A_pipe_is_refused_at_once_and_what_takes_the_place_of_the_file_is_not_renamed()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/mkfifo"), "needs mkfifo");
        using (var file = new LogFile(new LogFileSettings(Path, BytesMax: 4, BackupCount: 1)))
        {
            Write(file, "aaa\n");
            File.Delete(Path);
            Make("pipe", Path);
            // Nobody reads the pipe: whoever opened it for writing would wait.
            Assert.Equal(0, file.Write("bbb\n"u8));
            File.Delete(Path);
            File.WriteAllText(directory.File("other"), "aaa\n");
            File.CreateSymbolicLink(Path, directory.File("other"));
            Write(file, "ccc\n");
        }
        Assert.Equal("aaa\nccc\n", File.ReadAllText(directory.File("other")));
        File.Delete(Path);
        Make("pipe", Path);
        var error = Assert.Throws<IOException>(() => new LogFile(new LogFileSettings(Path, 4, 1)));
        Assert.StartsWith("it is not a regular file", error.Message, StringComparison.Ordinal);
        Assert.Equal(
            ["log", "other"],
            Directory.GetFileSystemEntries(directory.Path).Select(System.IO.Path.GetFileName).Order());
    }

    [Fact]
    public void It_can_be_opened_anew_before_there_is_anything_to_write()
    {
        using var file = new LogFile(new LogFileSettings(Path, 0, 0));
        Write(file, "a\n");
        File.Move(Path, directory.File("moved"));
        file.Reopen();
        Assert.Equal("", File.ReadAllText(Path));
        File.Delete(Path);
        Directory.CreateDirectory(Path);
        file.Reopen();
        Directory.Delete(Path);
        Write(file, "b\n");
        Assert.Equal(("a\n", "b\n"), (File.ReadAllText(directory.File("moved")), File.ReadAllText(Path)));
    }

    private static void Make(string kind, string path)
    {
        switch (kind)
        {
            case "directory":
                Directory.CreateDirectory(path);
                break;
            case "link":
                File.CreateSymbolicLink(path, "/dev/null");
                break;
            default:
                using (var mkfifo = Process.Start("mkfifo", path))
                {
                    mkfifo.WaitForExit();
                }
                break;
        }
    }

    private static void Remove(string kind, string path)
    {
        if (kind == "directory")
        {
            Directory.Delete(path);
            return;
        }
        // It is the one that was there before.
        Assert.Equal(0, new FileInfo(path).LinkTarget is null ? new FileInfo(path).Length : 0);
        File.Delete(path);
    }

    private static void Write(LogFile file, string lines) =>
        Assert.Equal(lines.Length, file.Write(Encoding.UTF8.GetBytes(lines)));
}
