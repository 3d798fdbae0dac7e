namespace TaskService.Telemetry.Logging;

/// <summary>
/// A file that lines are appended to: rotated by size, and opened anew when someone moved, removed or truncated it.
/// Used by one thread.
/// </summary>
internal sealed class LogFile : Stream
{
    private readonly LogFileSettings settings;
    private FileStream file;

    /// <exception cref="IOException">It cannot be opened for writing.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be opened for writing.</exception>
    public LogFile(LogFileSettings settings)
    {
        this.settings = settings;
        file = Open();
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    private bool Rotates => settings is { BytesMax: > 0, BackupCount: > 0 };

    /// <summary>Writes whole lines.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ReopenIfMoved();
        while (!buffer.IsEmpty)
        {
            var size = LengthThatFits(buffer);
            if (size == 0)
            {
                Rotate();
                size = LengthThatFits(buffer);
            }
            file.Write(buffer[..size]);
            buffer = buffer[size..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>How many bytes of whole lines fit; at least one line when the file is empty.</summary>
    private int LengthThatFits(ReadOnlySpan<byte> lines)
    {
        var room = settings.BytesMax - file.Position;
        if (!Rotates || lines.Length <= room)
        {
            return lines.Length;
        }
        var fits = room <= 0 ? 0 : lines[..(int)room].LastIndexOf((byte)'\n') + 1;
        return fits > 0 || file.Position > 0 ? fits : lines.IndexOf((byte)'\n') + 1;
    }

    // Nobody else writes to it: a file at the path with another length is another file, or this one truncated.
    private void ReopenIfMoved()
    {
        var there = new FileInfo(settings.Path);
        if (!there.Exists || there.Length != file.Position)
        {
            file.Dispose();
            file = Open();
        }
    }

    private void Rotate()
    {
        file.Dispose();
        for (var i = settings.BackupCount - 1; i >= 1; i--)
        {
            if (File.Exists($"{settings.Path}.{i}"))
            {
                File.Move($"{settings.Path}.{i}", $"{settings.Path}.{i + 1}", overwrite: true);
            }
        }
        File.Move(settings.Path, $"{settings.Path}.1", overwrite: true);
        file = Open();
    }

    private FileStream Open()
    {
        if (Path.GetDirectoryName(Path.GetFullPath(settings.Path)) is { } directory)
        {
            Directory.CreateDirectory(directory);
        }
        return new FileStream(
            settings.Path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, 0);
    }
}
