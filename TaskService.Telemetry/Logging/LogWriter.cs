using Microsoft.Extensions.Logging;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// Takes lines from any thread and writes them to one target from a thread of its own: the caller never waits for a
/// disk or
/// a terminal. What the target cannot keep up with is dropped and counted, and the next line that gets through says so.
/// </summary>
public sealed class LogWriter : IDisposable
{
    /// <summary>Lines that may wait, in bytes; beyond, lines are dropped.</summary>
    public const int BufferBytesMax = 1024 * 1024;

    private const int GatherMillisecondsMax = 20;

    private readonly Lock gate = new();
    private readonly LogTarget target;
    private readonly string name;
    private readonly LogFormat format;
    private readonly Thread thread;
    private readonly AutoResetEvent wake = new(false);
    private readonly ManualResetEventSlim stop = new(false);
    private byte[] filling = new byte[64 * 1024];
    private byte[] writing = new byte[64 * 1024];
    private int length;
    private bool closed;
    private long dropped;
    private long droppedReported;

    /// <param name="target">Closed at the end.</param>
    /// <param name="name">How a line about drops calls this writer.</param>
    /// <param name="format">The format of a line about drops.</param>
    public LogWriter(LogTarget target, string name, LogFormat format)
    {
        (this.target, this.name, this.format) = (target, name, format);
        thread = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        thread.Start();
    }

    /// <summary>How many lines were dropped, since the buffer was full, the target failed or it was closed.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Takes a line, which ends with a newline. Never waits, never throws.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        lock (gate)
        {
            if (closed || length + line.Length > BufferBytesMax)
            {
                Interlocked.Increment(ref dropped);
                return;
            }
            if (length + line.Length > filling.Length)
            {
                Array.Resize(ref filling, Math.Min(Math.Max(filling.Length * 2, length + line.Length), BufferBytesMax));
            }
            if (length == 0)
            {
                wake.Set();
            }
            line.CopyTo(filling.AsSpan(length));
            length += line.Length;
        }
    }

    /// <summary>Begins to write what waits. What comes afterwards is dropped.</summary>
    public void Close()
    {
        lock (gate)
        {
            if (closed)
            {
                return;
            }
            closed = true;
        }
        stop.Set();
        wake.Set();
    }

    /// <summary>Writes what waits, for so long at most, and closes the target.</summary>
    public void Close(TimeSpan timeMax)
    {
        Close();
        if (thread.Join(timeMax))
        {
            wake.Dispose();
            stop.Dispose();
        }
    }

    /// <summary>Writes what waits, for five seconds at most, and closes the target.</summary>
    public void Dispose() => Close(TimeSpan.FromSeconds(5));

    private void Run()
    {
        var line = new Utf8Line();
        bool stopping;
        int batch;
        do
        {
            wake.WaitOne();
            // More lines come along in a moment: they go in one write.
            stopping = stop.Wait(GatherMillisecondsMax);
            do
            {
                lock (gate)
                {
                    (filling, writing, batch, length) = (writing, filling, length, 0);
                }
                var lines = writing.AsSpan(0, batch);
                Interlocked.Add(ref dropped, lines[Write(lines)..].Count((byte)'\n'));
                ReportDrops(line);
            }
            while (stopping && batch > 0);
        }
        while (!stopping);
        target.Dispose();
    }

    private int Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            return lines.IsEmpty ? 0 : target.Write(lines);
        }
        catch (Exception)
        {
            // Whatever it is, a log must not end the process that it is the log of.
            return 0;
        }
    }

    private void ReportDrops(Utf8Line line)
    {
        var count = Dropped - droppedReported;
        if (count == 0)
        {
            return;
        }
        Field[] fields = [new(LogEvent.Message, "LOG LINES DROPPED"), new("handler", name), new("dropped", count)];
        line.Clear();
        format.Write(new LogEvent(DateTime.UtcNow, "taskservice.logs", LogLevel.Warning, fields), line);
        if (Write(line.Bytes) > 0)
        {
            droppedReported += count;
        }
    }
}
