using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Idempotency keys in files, one a key, written before the task and confirmed after it. A key that is not confirmed
/// when the process ends counts if its task is there; else the task was never acknowledged, and the key goes.
/// </summary>
internal sealed class FileKeys : IDisposable
{
    private const string Confirmed = ".key";
    private const string Unconfirmed = ".pending";

    private readonly KeyTable table = new();
    private readonly DurableDirectory directory;
    private int confirmedSinceSync;

    /// <param name="path">A directory of its own.</param>
    /// <param name="threads">Do the writing.</param>
    /// <param name="taskExists">Whether there is a task with this id.</param>
    public FileKeys(string path, DiskThreads threads, Predicate<string> taskExists)
    {
        directory = new DurableDirectory(path, threads);
        var now = DateTimeOffset.UtcNow;
        foreach (var file in Directory.GetFiles(path, "*" + Unconfirmed))
        {
            Settle(file, taskExists);
        }
        foreach (var known in Directory.GetFiles(path, "*" + Confirmed).Select(Read).OfType<RememberedCreate>()
            .OrderBy(known => known.Created))
        {
            if (known.IsExpired(now))
            {
                File.Delete(directory.PathOf(NameOf(known.Key) + Confirmed));
            }
            else
            {
                Forget(table.Add(known));
            }
        }
    }

    public RememberedCreate? Find(string key) => table.Find(key);

    /// <summary>To be called before the task is written.</summary>
    /// <exception cref="StorageException">It is not known to be written.</exception>
    public Task WriteAsync(RememberedCreate create) => directory.WriteAsync(
        NameOf(create.Key) + Unconfirmed,
        JsonSerializer.SerializeToUtf8Bytes(FileKey.FromDomain(create), FileKeyJson.Default.FileKey));

    /// <summary>
    /// To be called when the task is on the disk. Whether this gets there, too, is settled at the next start.
    /// </summary>
    public void Confirm(RememberedCreate create)
    {
        var gone = table.Add(create);
        try
        {
            var name = directory.PathOf(NameOf(create.Key));
            File.Move(name + Unconfirmed, name + Confirmed, overwrite: true);
            Interlocked.Exchange(ref confirmedSinceSync, 1);
            Forget(gone);
        }
        catch (IOException)
        {
            // The task is there, and will confirm it at the next start.
        }
    }

    /// <summary>To be called before a task is deleted: a key must not look as if its task had never been.</summary>
    public Task SyncAsync() =>
        Interlocked.Exchange(ref confirmedSinceSync, 0) == 0 ? Task.CompletedTask : directory.SyncAsync();

    public void Dispose() => directory.Dispose();

    // Keys may hold what file names must not.
    private static string NameOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private static RememberedCreate? Read(string file)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(file), FileKeyJson.Default.FileKey)?.ToDomain();
        }
        catch (Exception error) when (error is JsonException or FormatException or OverflowException)
        {
            // Not ours, or damaged: a retry with this key makes a new task, as after its expiry.
            return null;
        }
    }

    private static void Settle(string file, Predicate<string> taskExists)
    {
        if (Read(file) is { } create && taskExists(create.TaskId))
        {
            File.Move(file, Path.ChangeExtension(file, Confirmed), overwrite: true);
        }
        else
        {
            File.Delete(file);
        }
    }

    private void Forget(IReadOnlyList<RememberedCreate> gone)
    {
        foreach (var create in gone.Where(create => table.Find(create.Key) is null))
        {
            File.Delete(directory.PathOf(NameOf(create.Key) + Confirmed));
        }
    }
}

/// <summary>A remembered create as its file has it.</summary>
internal sealed record FileKey(string Key, string BodyHash, string TaskId, string Version, DateTimeOffset Created)
{
    public static FileKey FromDomain(RememberedCreate create) => new(
        create.Key, $"{create.BodyHash:x32}", create.TaskId, create.Version.ToString(), create.Created);

    /// <exception cref="FormatException">It does not hold what we wrote.</exception>
    /// <exception cref="OverflowException">It does not hold what we wrote.</exception>
    public RememberedCreate ToDomain() => new(
        Key, ParseHash(BodyHash), TaskId, new TaskVersion(ParseHash(Version)), Created);

    private static UInt128 ParseHash(string text) =>
        UInt128.Parse(text, System.Globalization.NumberStyles.AllowHexSpecifier, null);
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FileKey))]
internal sealed partial class FileKeyJson : JsonSerializerContext;
