namespace TaskService.Telemetry.Logging;

/// <summary>
/// A file that lines are appended to: rotated by size, and reopened when it was moved, removed or truncated, or after a
/// failed write. No other process may write to it. Only regular files are rotated; of a symbolic link, resolved once,
/// its target. A device, such as <c>/dev/null</c>, is written and never rotated.
/// </summary>
internal sealed class LogFile : LogTarget
{
    private readonly string path;
    private volatile LogFileSettings settings;
    private FileStream? file;
    private bool isRegular;

    /// <exception cref="IOException">It cannot be opened for writing, or is not a regular file.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be opened for writing.</exception>
    public LogFile(LogFileSettings settings)
    {
        this.settings = settings;
        path = TargetOf(settings.Path);
        file = Open();
        if (TargetOf(path) is var target && target != path)
        {
            // The target of a link, which Open has created.
            path = target;
            isRegular = IsRegular(path);
        }
    }

    /// <summary>Opens it.</summary>
    /// <param name="settings">Its path and sizes.</param>
    /// <param name="what">Its name in messages.</param>
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

    /// <summary>Sets other limits for the same path, from any thread.</summary>
    public void Apply(LogFileSettings next) => settings = next;

    private bool Rotates => isRegular && settings is { BytesMax: > 0, BackupCount: > 0 };

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
            // The next write reopens it.
            Close();
        }
        return written;
    }

    public override void Reopen()
    {
        Close();
        try
        {
            file = Open();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next write retries, and its lines are counted as dropped when it fails.
        }
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

    // A disk that fills up writes a part of a line, which the next one would continue: truncate it.
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

    private FileStream Opened()
    {
        if (file is null || (isRegular && HasMoved(file)))
        {
            Close();
            file = Open();
        }
        return file;
    }

    // No other process writes to it: a file at the path with another length is another file, or this one truncated.
    private bool HasMoved(FileStream open)
    {
        var there = new FileInfo(path);
        return !there.Exists || there.Length != open.Position;
    }

    /// <summary>Rotates to a new file; if that fails, the old one grows over its limit.</summary>
    private FileStream Rotated(FileStream open)
    {
        try
        {
            var all = Enumerable.Range(1, settings.BackupCount).Select(i => $"{path}.{i}").Prepend(path).ToList();
            if (!IsRegular(path) || all.Exists(one => Path.Exists(one) && !IsRegular(one)))
            {
                return open;
            }
            for (var i = settings.BackupCount; i >= 1; i--)
            {
                if (File.Exists(all[i - 1]))
                {
                    File.Move(all[i - 1], all[i], overwrite: true);
                }
            }
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
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } directory)
        {
            Directory.CreateDirectory(directory);
        }
        // Opened for writing only, a pipe would block until it has a reader.
        var opened = File.Exists(path) && !CanSeek(path) ? null : new FileStream(
            path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (opened is not { CanSeek: true })
        {
            opened?.Dispose();
            throw new IOException("it is not a regular file (a handler of type console writes to standard output)");
        }
        isRegular = IsRegular(path);
        return opened;
    }

    private static string TargetOf(string path) =>
        new FileInfo(path) is { LinkTarget: not null } link
        && link.ResolveLinkTarget(returnFinalTarget: true) is { Exists: true } target ? target.FullName : path;

    private static bool CanSeek(string path)
    {
        if (new FileInfo(path).Length > 0)
        {
            return true;
        }
        try
        {
            using var open = OpenBothWays(path);
            return open.CanSeek;
        }
        catch (UnauthorizedAccessException)
        {
            // A file with write permission only is sufficient.
            return true;
        }
    }

    // .NET has no call for this. Pipes and devices have length 0, and it cannot be set.
    private static bool IsRegular(string path)
    {
        var there = new FileInfo(path);
        if (!there.Exists || there.LinkTarget is not null)
        {
            return false;
        }
        try
        {
            if (there.Length == 0)
            {
                using var open = OpenBothWays(path);
                open.SetLength(open.Length);
            }
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            // As above.
            return true;
        }
        catch (Exception error) when (error is IOException or NotSupportedException or ArgumentException)
        {
            return false;
        }
    }

    private static FileStream OpenBothWays(string path) => new(
        path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
}
