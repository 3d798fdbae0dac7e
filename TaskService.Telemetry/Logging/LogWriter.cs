using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Logging;

/// <summary>
/// Buffers lines from any thread and writes them to one target in batches, on a thread of its own: the caller never
/// waits for a disk or a terminal. A line reaches a target that keeps up within <see cref="LingerMillisecondsMax"/>.
/// Lines beyond the buffer are dropped and counted, with one line when drops begin and one when they have ended.
/// </summary>
public sealed class LogWriter : IDisposable
{
    /// <summary>Size of the buffer in bytes; beyond, lines are dropped.</summary>
    public const int BufferBytesMax = 4 * 1024 * 1024;

    /// <summary>How long lines are gathered for a batch, which is one write.</summary>
    public const int LingerMillisecondsMax = 20;

    /// <summary>How long no line may be dropped before drops have ended.</summary>
    public const int QuietMillisecondsMin = 1_000;

    private static readonly Meter Meter = new("TaskService.Telemetry");

    private static readonly Counter<long> Drops = Meter.CreateCounter<long>(
        "taskservice.log.drops", "{line}", "Log lines that were dropped, by the name of the handler.");

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
    private bool isReopened;
    private long dropped;

    // State of the writer thread: the count before the current drops, null when there are none, and the last one seen.
    private long? droppedBefore;
    private long droppedSeen;
    private long droppedAt;

    /// <param name="target">Closed at the end.</param>
    /// <param name="name">The name of this writer in lines about drops.</param>
    /// <param name="format">The format of a line about drops.</param>
    public LogWriter(LogTarget target, string name, LogFormat format)
    {
        (this.target, this.name, this.format) = (target, name, format);
        thread = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        thread.Start();
    }

    /// <summary>How many lines were dropped, since the buffer was full, the target failed or it was closed.</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    /// <summary>Buffers a line, which ends with a newline. Never waits, never throws.</summary>
    public void Append(ReadOnlySpan<byte> line)
    {
        if (!TryAppend(line))
        {
            Drop(1);
        }
    }

    /// <summary>As <see cref="Append"/>, but a line that comes after closing is left to the caller.</summary>
    /// <returns>False when it is closed.</returns>
    internal bool TryAppend(ReadOnlySpan<byte> line)
    {
        lock (gate)
        {
            if (closed)
            {
                return false;
            }
            if (length + line.Length > BufferBytesMax)
            {
                Drop(1);
                return true;
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
            return true;
        }
    }

    /// <summary>Reopens the target before the next line is written, or soon if there is none.</summary>
    public void Reopen()
    {
        lock (gate)
        {
            if (!closed)
            {
                isReopened = true;
                wake.Set();
            }
        }
    }

    /// <summary>Begins the shutdown: buffered lines are written, later ones are dropped.</summary>
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

    /// <summary>Flushes the buffer, with a timeout, and closes the target.</summary>
    public void Close(TimeSpan timeMax)
    {
        Close();
        if (thread.Join(timeMax))
        {
            wake.Dispose();
            stop.Dispose();
        }
    }

    /// <summary>Flushes the buffer, for five seconds at most, and closes the target.</summary>
    public void Dispose() => Close(TimeSpan.FromSeconds(5));

    private void Drop(int lines)
    {
        Interlocked.Add(ref dropped, lines);
        Drops.AddSafely(lines, new KeyValuePair<string, object?>("handler", name));
    }

    private void Run()
    {
        bool stopping, reopens;
        int batch;
        do
        {
            wake.WaitOne(droppedBefore is null ? Timeout.Infinite : QuietMillisecondsMin);
            // Linger: more lines arrive in a moment, for the same write.
            stopping = stop.Wait(LingerMillisecondsMax);
            do
            {
                lock (gate)
                {
                    (filling, writing, batch, length) = (writing, filling, length, 0);
                    (reopens, isReopened) = (isReopened, false);
                }
                if (reopens)
                {
                    target.Reopen();
                }
                var lines = writing.AsSpan(0, batch);
                if (lines[Write(lines)..].Count((byte)'\n') is > 0 and var lost)
                {
                    Drop(lost);
                }
                ReportDrops(stopping && batch == 0);
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
            // A log must not end the process, whatever the target throws.
            return 0;
        }
    }

    private void ReportDrops(bool isLast)
    {
        var now = Environment.TickCount64;
        var count = Dropped;
        if (count > droppedSeen)
        {
            droppedAt = now;
            // A target that fails to write this line gets it again with the next batch.
            if (droppedBefore is null && WriteReport("LOG DROPS BEGIN", count - droppedSeen))
            {
                droppedBefore = droppedSeen;
            }
            droppedSeen = droppedBefore is null ? droppedSeen : count;
        }
        if (droppedBefore is { } before && (isLast || now - droppedAt >= QuietMillisecondsMin)
            && WriteReport("LOG DROPS END", count - before))
        {
            droppedBefore = null;
        }
    }

    private bool WriteReport(string message, long count)
    {
        var line = new Utf8Line();
        Field[] fields = [new(LogEvent.Message, message), new("handler", name), new("dropped", count)];
        // Not through ILogger: the line is about this target, and for it only.
        format.Write(
            new LogEvent(DateTime.UtcNow, "taskservice.logs", LogLevel.Warning, fields) { IsTemplate = true }, line);
        return Write(line.Bytes) > 0;
    }
}
