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
        const int fit = LogWriter.BufferBytesMax / 1024;
        using var target = new SlowTarget();
        target.Stall();
        var line = Encoding.UTF8.GetBytes(new string('x', 1023) + "\n");
        using (var writer = new LogWriter(target, "test", Format))
        {
            writer.Append(line);
            await Until.TrueAsync(() => target.IsWriting, "the writer to hang in the target");
            for (var i = 0; i < fit + 1024; i++)
            {
                writer.Append(line);
            }
            Assert.Equal(1024, writer.Dropped);
            target.GoOn();
        }
        Assert.Equal(1 + fit, target.Lines.Count(text => text.StartsWith('x')));
        AssertDrops(target.Lines.Where(text => !text.StartsWith('x')), first: 1024, all: 1024);
    }

    [Fact]
    public async Task Lines_that_the_target_does_not_take_are_counted_and_said_when_it_does_again()
    {
        using var target = new SlowTarget { Fails = true };
        using (var writer = new LogWriter(target, "test", Format))
        {
            writer.Append("a\nb\nc\n"u8);
            await Until.TrueAsync(() => writer.Dropped == 2, "the count of lost lines");
            target.Fails = false;
            writer.Append("d\n"u8);
        }
        // Which of the last two comes first depends on when the target takes lines again.
        Assert.Equal("a", target.Lines[0]);
        Assert.Contains("d", target.Lines);
        AssertDrops(target.Lines.Where(line => line is not ("a" or "d")), first: 2, all: 2);
    }

    [Fact]
    public async Task Drops_that_go_on_are_said_once_and_their_end_without_another_line_to_bring_it()
    {
        using var target = new SlowTarget { Fails = true };
        using var counted = new LimitHits();
        using var writer = new LogWriter(target, "test-of-drops", Format);
        writer.Append("a\nb\n"u8);
        await Until.TrueAsync(() => target.Lines is [.., var last] && last.Contains("LOG DROPS BEGIN"), "their begin");
        writer.Append("a\nb\nc\n"u8);
        await Until.TrueAsync(() => writer.Dropped == 3, "the count of lost lines");
        target.Fails = false;
        await Until.TrueAsync(() => target.Lines is [.., var last] && last.Contains("LOG DROPS END"), "their end");
        AssertDrops(target.Lines.Where(line => line is not "a"), first: 1, all: 3);
        Assert.Equal(3, counted["taskservice.log.drops test-of-drops"]);
    }

    [Fact]
    public async Task Whatever_the_target_throws_the_process_goes_on()
    {
        using var target = new SlowTarget { Throws = true };
        using (var writer = new LogWriter(target, "test", Format))
        {
            writer.Append("a\n"u8);
            await Until.TrueAsync(() => writer.Dropped == 1, "the count of lost lines");
            target.Throws = false;
            writer.Append("b\n"u8);
        }
        Assert.Contains("b", target.Lines);
    }

    [Fact]
    public void A_line_after_the_end_is_counted_as_dropped()
    {
        using var target = new SlowTarget();
        var writer = new LogWriter(target, "test", Format);
        writer.Append("a\n"u8);
        writer.Dispose();
        writer.Append("b\n"u8);
        writer.Dispose();
        Assert.Equal(["a"], target.Lines);
        Assert.Equal(1, writer.Dropped);
        Assert.True(target.IsClosed);
    }

    private static void AssertDrops(IEnumerable<string> said, int first, int all)
    {
        var lines = said.Select(LogfmtLine.Parse).ToList();
        Assert.Equal(["LOG DROPS BEGIN", "LOG DROPS END"], lines.Select(line => line["message"]));
        Assert.Equal([$"{first}", $"{all}"], lines.Select(line => line["dropped"]));
        Assert.All(lines, line => Assert.Equal("WARNING", line["level"]));
        Assert.All(lines, line => Assert.StartsWith("test", line["handler"], StringComparison.Ordinal));
    }

    /// <summary>A disk or terminal that hangs or is full when the test says so.</summary>
    private sealed class SlowTarget : LogTarget
    {
        private readonly ManualResetEventSlim open = new(true);
        private readonly StringBuilder text = new();
        private readonly Lock gate = new();

        public volatile bool IsWriting;

        /// <summary>Whether it takes one line and no more.</summary>
        public bool Fails { get; set; }

        public bool Throws { get; set; }

        public bool IsClosed { get; private set; }

        public string[] Lines
        {
            get
            {
                lock (gate)
                {
                    return text.ToString().Split('\n')[..^1];
                }
            }
        }

        public void Stall() => open.Reset();

        public void GoOn() => open.Set();

        public override int Write(ReadOnlySpan<byte> lines)
        {
            IsWriting = true;
            open.Wait();
            if (Throws)
            {
                throw new NotSupportedException("what nobody thought of");
            }
            var taken = Fails ? lines[..(lines.IndexOf((byte)'\n') + 1)] : lines;
            lock (gate)
            {
                text.Append(Encoding.UTF8.GetString(taken));
            }
            return taken.Length;
        }

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            open.Dispose();
        }
    }
}
