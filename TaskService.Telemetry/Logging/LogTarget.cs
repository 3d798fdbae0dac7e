namespace TaskService.Telemetry.Logging;

/// <summary>Where a <see cref="LogWriter"/> writes to. Used by one thread.</summary>
public abstract class LogTarget : IDisposable
{
    /// <summary>Writes whole lines, as many as it can.</summary>
    /// <returns>How many bytes are written; less than all when it failed, and then up to the end of a line.</returns>
    public abstract int Write(ReadOnlySpan<byte> lines);

    /// <summary>Opens it anew, when it is a file. Never throws.</summary>
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
    // There is one standard output, and two of these would write into each other's lines.
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
            // Nobody reads it any more.
            return 0;
        }
    }

    protected override void Dispose(bool disposing) => output.Dispose();
}
