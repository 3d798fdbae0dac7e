namespace TaskService.Telemetry.Logging;

/// <summary>
/// A file that lines are appended to: rotated by size, and opened anew when someone moved, removed or truncated it, or
/// when it could not be written for a while. No other process may write to it.
/// </summary>
internal sealed class LogFile : LogTarget
{
    private readonly LogFileSettings settings;
    private FileStream? file;

    /// <exception cref="IOException">It cannot be opened for writing, or is not a regular file.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be opened for writing.</exception>
    public LogFile(LogFileSettings settings)
    {
        this.settings = settings;
        file = Open();
    }

    /// <summary>Opens it.</summary>
    /// <param name="settings">Its path and sizes.</param>
    /// <param name="what">What a message calls it.</param>
    /// <exception cref="IOException">It cannot be written; the message says which and why.</exception>
    public static LogFile Open(LogFileSettings settings, string what)
    {
        try
        {
            return new LogFile(settings);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{what} {settings.Path} cannot be written: {error.Message}", error);
        }
    }

    private bool Rotates => settings is { BytesMax: > 0, BackupCount: > 0 };

    public override int Write(ReadOnlySpan<byte> lines)
    {
        var written = 0;
        try
        {
            var open = Opened();
            while (written < lines.Length)
            {
                var size = LengthThatFits(lines[written..], open.Position);
                if (size == 0)
                {
                    open = Rotated(open);
                    var line = lines[written..].IndexOf((byte)'\n') + 1;
                    size = Math.Max(LengthThatFits(lines[written..], open.Position), line);
                }
                WriteWhole(open, lines.Slice(written, size));
                written += size;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next write begins with opening it.
            Close();
        }
        return written;
    }

    protected override void Dispose(bool disposing) => Close();

    /// <summary>How many bytes of whole lines fit; at least one line when the file is empty.</summary>
    private int LengthThatFits(ReadOnlySpan<byte> lines, long position)
    {
        var room = settings.BytesMax - position;
        if (!Rotates || lines.Length <= room)
        {
            return lines.Length;
        }
        var fits = room <= 0 ? 0 : lines[..(int)room].LastIndexOf((byte)'\n') + 1;
        return fits > 0 || position > 0 ? fits : lines.IndexOf((byte)'\n') + 1;
    }

    // A disk that fills up takes half a line, and the next one would be glued to it.
    private static void WriteWhole(FileStream open, ReadOnlySpan<byte> lines)
    {
        var before = open.Position;
        try
        {
            open.Write(lines);
        }
        catch (IOException)
        {
            open.SetLength(before);
            throw;
        }
    }

    // Nobody else writes to it: a file at the path with another length is another file, or this one truncated.
    private FileStream Opened()
    {
        var there = new FileInfo(settings.Path);
        if (file is null || !there.Exists || there.Length != file.Position)
        {
            Close();
            file = Open();
        }
        return file;
    }

    /// <summary>Begins a new file; where that cannot be done, it goes on in the old one, over its limit.</summary>
    private FileStream Rotated(FileStream open)
    {
        try
        {
            for (var i = settings.BackupCount - 1; i >= 1; i--)
            {
                if (File.Exists($"{settings.Path}.{i}"))
                {
                    File.Move($"{settings.Path}.{i}", $"{settings.Path}.{i + 1}", overwrite: true);
                }
            }
            File.Move(settings.Path, $"{settings.Path}.1", overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return open;
        }
        Close();
        return file = Open();
    }

    private void Close()
    {
        file?.Dispose();
        file = null;
    }

    private FileStream Open()
    {
        if (Path.GetDirectoryName(Path.GetFullPath(settings.Path)) is { } directory)
        {
            Directory.CreateDirectory(directory);
        }
        var opened = new FileStream(
            settings.Path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (opened.CanSeek)
        {
            return opened;
        }
        opened.Dispose();
        throw new IOException("it is not a regular file (a handler of type console writes to standard output)");
    }
}
