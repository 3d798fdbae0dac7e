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
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly Stream target;
    private readonly string name;
    private readonly LogFormat format;
    private readonly Thread thread;
    private readonly AutoResetEvent wake = new(false);
    private readonly ManualResetEventSlim stop = new(false);
    private byte[] filling = new byte[64 * 1024];
    private byte[] writing = new byte[64 * 1024];
    private int length;
    private long dropped;
    private long droppedReported;

    /// <param name="target">Closed at the end.</param>
    /// <param name="name">How a line about drops calls this writer.</param>
    /// <param name="format">The format of a line about drops.</param>
    public LogWriter(Stream target, string name, LogFormat format)
    {
        (this.target, this.name, this.format) = (target, name, format);
        thread = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        thread.Start();
    }

    /// <summary>How many lines were dropped, because the buffer was full or the target failed.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Takes a line, which ends with a newline. Never waits, never throws.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        bool first;
        lock (gate)
        {
            if (length + line.Length > BufferBytesMax)
            {
                Interlocked.Increment(ref dropped);
                return;
            }
            if (length + line.Length > filling.Length)
            {
                Array.Resize(ref filling, Math.Min(Math.Max(filling.Length * 2, length + line.Length), BufferBytesMax));
            }
            first = length == 0;
            line.CopyTo(filling.AsSpan(length));
            length += line.Length;
        }
        if (first)
        {
            wake.Set();
        }
    }

    /// <summary>Writes what waits, for five seconds at most, and closes the target.</summary>
    public void Dispose()
    {
        stop.Set();
        wake.Set();
        if (thread.Join(FlushTimeMax))
        {
            wake.Dispose();
            stop.Dispose();
        }
    }

    private void Run()
    {
        var line = new Utf8Line();
        while (true)
        {
            wake.WaitOne();
            // More lines come along in a moment: they go in one write.
            var stopping = stop.Wait(GatherMillisecondsMax);
            int batch;
            lock (gate)
            {
                (filling, writing, batch, length) = (writing, filling, length, 0);
            }
            if (!TryWrite(writing.AsSpan(0, batch)))
            {
                Interlocked.Add(ref dropped, writing.AsSpan(0, batch).Count((byte)'\n'));
            }
            ReportDrops(line);
            if (stopping && batch == 0)
            {
                break;
            }
            if (stopping)
            {
                wake.Set();
            }
        }
        target.Dispose();
    }

    private bool TryWrite(ReadOnlySpan<byte> lines)
    {
        try
        {
            if (!lines.IsEmpty)
            {
                target.Write(lines);
                target.Flush();
            }
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return false;
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
        if (TryWrite(line.Bytes))
        {
            droppedReported += count;
        }
    }
}
