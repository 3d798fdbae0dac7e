using System.Text;
using TaskService.Telemetry.Logging;
using TaskService.Tests.Support;

namespace TaskService.Tests.Logging;

public sealed class LogWriterTests
{
    private static readonly LogFormat Format = LogFormat.Create(new LogFormatSettings(LogFormatKind.Logfmt));

    [Fact]
    public void Everything_is_written_in_order_before_it_closes()
    {
        using var target = new SlowTarget();
        using (var writer = new LogWriter(target, "test", Format))
        {
            for (var i = 0; i < 10_000; i++)
            {
                writer.Append(Encoding.UTF8.GetBytes($"{i}\n"));
            }
        }
        Assert.Equal(Enumerable.Range(0, 10_000).Select(i => $"{i}"), target.Lines);
    }

    [Fact]
    public async Task A_stalled_target_holds_nobody_up_and_what_it_cannot_take_is_counted_and_said()
    {
        using var target = new SlowTarget();
        target.Stall();
        var line = Encoding.UTF8.GetBytes(new string('x', 1023) + "\n");
        using (var writer = new LogWriter(target, "test", Format))
        {
            writer.Append(line);
            await Until.TrueAsync(() => target.IsWriting, "the writer to hang in the target");
            for (var i = 0; i < 2048; i++)
            {
                writer.Append(line);
            }
            Assert.Equal(1024, writer.Dropped);
            target.GoOn();
        }
        Assert.Equal(1 + 1024, target.Lines.Count(text => text.StartsWith('x')));
        var said = LogfmtLine.Parse(Assert.Single(target.Lines, text => !text.StartsWith('x')));
        Assert.Equal(("LOG LINES DROPPED", "WARNING", "1024"), (said["message"], said["level"], said["dropped"]));
        Assert.Equal("test", said["handler"]);
    }

    [Fact]
    public async Task Lines_that_the_target_refuses_are_counted_and_said_when_it_takes_some_again()
    {
        using var target = new SlowTarget { Fails = true };
        using (var writer = new LogWriter(target, "test", Format))
        {
            writer.Append("a\nb\n"u8);
            await Until.TrueAsync(() => writer.Dropped == 2, "the count of lost lines");
            target.Fails = false;
            writer.Append("c\n"u8);
        }
        // Which of the two comes first depends on when the target takes lines again.
        Assert.Equal(2, target.Lines.Length);
        Assert.Contains("c", target.Lines);
        Assert.Equal("2", LogfmtLine.Parse(Assert.Single(target.Lines, line => line != "c"))["dropped"]);
    }

    /// <summary>A disk or terminal that hangs or is full when the test says so.</summary>
    private sealed class SlowTarget : MemoryStream
    {
        private readonly ManualResetEventSlim open = new(true);
        private readonly StringBuilder text = new();

        public volatile bool IsWriting;

        public bool Fails { get; set; }

        public string[] Lines => text.ToString().Split('\n')[..^1];

        public void Stall() => open.Reset();

        public void GoOn() => open.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            IsWriting = true;
            open.Wait();
            if (Fails)
            {
                throw new IOException("No space left on device");
            }
            text.Append(Encoding.UTF8.GetString(buffer));
        }

        protected override void Dispose(bool disposing)
        {
            open.Dispose();
            base.Dispose(disposing);
        }
    }
}
