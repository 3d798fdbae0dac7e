using System.Security.Cryptography;
using TaskService.Configuration;

namespace TaskService.Http;

/// <summary>
/// The keys of clients: those of the configuration, and those of a file of <c>name: key</c> lines. The file is checked
/// for changes when a key comes, once a second at most; one that is in disorder leaves the last keys in place.
/// </summary>
internal sealed partial class ApiKeys
{
    private const int FileBytesMax = 4 * 1024 * 1024;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock looking = new();
    private readonly AuthenticationSettings settings;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private volatile ApiKey[] current;
    private string seen = "";
    private string said = "";
    private long lookedAt;

    /// <exception cref="IOException">The file cannot be read, or a line of it is wrong.</exception>
    public ApiKeys(AuthenticationSettings settings, TimeProvider time, ILogger<ApiKeys> log)
    {
        (this.settings, this.time, this.log) = (settings, time, log);
        current = [.. settings.ApiKeys];
        if (settings.ApiKeysFile.Length > 0)
        {
            seen = ReadFile();
            current = Parse(seen);
        }
        lookedAt = time.GetTimestamp();
    }

    /// <summary>The name of the client that has a key; null when nobody has it.</summary>
    /// <param name="key">As it was sent.</param>
    public string? NameOf(string key)
    {
        if (settings.ApiKeysFile.Length > 0 && time.GetElapsedTime(Volatile.Read(ref lookedAt)) >= LookEvery
            && looking.TryEnter())
        {
            try
            {
                Look();
            }
            finally
            {
                Volatile.Write(ref lookedAt, time.GetTimestamp());
                looking.Exit();
            }
        }
        string? name = null;
        var hash = RequestSecret.HashOf(key);
        foreach (var known in current)
        {
            // All of them, so that the time does not say which.
            name = CryptographicOperations.FixedTimeEquals(hash, known.Hash) ? known.Name : name;
        }
        return name;
    }

    private void Look()
    {
        try
        {
            var found = ReadFile();
            if (found == seen)
            {
                return;
            }
            seen = found;
            current = Parse(found);
            said = "";
            LogReloaded(settings.ApiKeysFile, current.Length);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Once, and not again each second.
            if (error.Message != said)
            {
                LogKept(said = error.Message);
            }
        }
    }

    private string ReadFile()
    {
        var path = settings.ApiKeysFile;
        try
        {
            return new FileInfo(path).Length <= FileBytesMax
                ? File.ReadAllText(path)
                : throw new IOException($"it has more than {FileBytesMax} bytes");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var reason = Directory.Exists(path) ? "it is a directory"
                : error is FileNotFoundException or DirectoryNotFoundException ? "no such file" : error.Message;
            throw new IOException($"http.api-keys-file {path} cannot be read: {reason}", error);
        }
    }

    private ApiKey[] Parse(string text)
    {
        var keys = settings.ApiKeys.ToList();
        foreach (var (at, line) in text.Split('\n').Index())
        {
            var content = line.Trim();
            if (content.Length == 0 || content[0] == '#')
            {
                continue;
            }
            var colon = content.IndexOf(':', StringComparison.Ordinal);
            var problem = colon < 0 ? "must be \"name: key\""
                : ApiKey.Add(keys, content[..colon].TrimEnd(), content[(colon + 1)..].TrimStart());
            if (problem is not null)
            {
                throw new IOException($"{settings.ApiKeysFile}:{at + 1}: {problem}");
            }
        }
        return [.. keys];
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "API keys of {File} read again, there are {Count}")]
    private partial void LogReloaded(string file, int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "API keys stay as they were: {Reason}")]
    private partial void LogKept(string reason);
}
