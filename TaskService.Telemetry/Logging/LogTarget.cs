namespace TaskService.Telemetry.Logging;

/// <summary>The destination of a <see cref="LogWriter"/>. Used by one thread.</summary>
public abstract class LogTarget : IDisposable
{
    /// <summary>Writes whole lines, as many as it can.</summary>
    /// <returns>The bytes written; less than all after a failure, and then up to the end of a line.</returns>
    public abstract int Write(ReadOnlySpan<byte> lines);

    /// <summary>Reopens a file. Never throws.</summary>
    public virtual void Reopen()
    {
        // There is nothing to open.
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

/// <summary>Standard output.</summary>
internal sealed class LogConsole : LogTarget
{
    // There is one standard output, and concurrent writes would mix lines.
    private static readonly Lock Gate = new();

    private readonly Stream output = Console.OpenStandardOutput();

    public override int Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            lock (Gate)
            {
                output.Write(lines);
                output.Flush();
            }
            return lines.Length;
        }
        catch (IOException)
        {
            // The pipe has no reader any more.
            return 0;
        }
    }

    protected override void Dispose(bool disposing) => output.Dispose();
}
