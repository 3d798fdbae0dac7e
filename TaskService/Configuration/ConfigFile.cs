using System.Text;

namespace TaskService.Configuration;

/// <summary>Reads the text of a configuration file: UTF-8, of a size that a person can have written.</summary>
internal static class ConfigFile
{
    private const int BytesMax = 1024 * 1024;

    /// <exception cref="ConfigException">It cannot be read, is too large, or is not UTF-8.</exception>
    public static string ReadText(string file)
    {
        var bytes = ReadBytes(file).AsSpan();
        if (bytes.StartsWith(Encoding.Unicode.Preamble) || bytes.StartsWith(Encoding.BigEndianUnicode.Preamble))
        {
            throw new ConfigException([$"{file}:1: must be UTF-8, not UTF-16"]);
        }
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
        {
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        }
        for (var at = 0; at < bytes.Length;)
        {
            if (Rune.DecodeFromUtf8(bytes[at..], out _, out var length) != System.Buffers.OperationStatus.Done)
            {
                var line = bytes[..at].Count((byte)'\n') + 1;
                throw new ConfigException([$"{file}:{line}: must be UTF-8, which has no byte 0x{bytes[at]:X2} there"]);
            }
            at += length;
        }
        return Encoding.UTF8.GetString(bytes);
    }

    // Pipes, such as <(...) of a shell, have no length; devices have no end.
    private static byte[] ReadBytes(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var bytes = new byte[BytesMax + 1];
            var count = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return count <= BytesMax
                ? bytes[..count]
                : throw new ConfigException([$"{file}: the configuration file is larger than {BytesMax} bytes"]);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var reason = Directory.Exists(file) ? "it is a directory"
                : error is FileNotFoundException or DirectoryNotFoundException ? "no such file" : error.Message;
            throw new ConfigException([$"{file}: the configuration file cannot be read: {reason}"]);
        }
    }
}
