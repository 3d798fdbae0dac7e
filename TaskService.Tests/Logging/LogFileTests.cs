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

    private static void Write(LogFile file, string lines) =>
        Assert.Equal(lines.Length, file.Write(Encoding.UTF8.GetBytes(lines)));
}
