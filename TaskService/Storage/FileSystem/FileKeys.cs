using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Idempotency keys in files, one per key, named by the id of the created resource. A key is written before its
/// resource: while pending, it is valid if the resource exists. A key without one was never acknowledged, and is
/// removed at the next start. Before its resource is deleted, a key is confirmed: then it is valid by itself.
/// </summary>
internal sealed class FileKeys : IDisposable
{
    private const string Confirmed = ".key";
    private const string Pending = ".pending";

    private readonly KeyTable table = new();
    private readonly ConcurrentDictionary<string, IdempotencyRecord> pendingById = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> unfinished = new(StringComparer.Ordinal);
    private readonly DurableDirectory directory;
    private readonly ILogger logger;

    /// <summary>Reads the keys.</summary>
    /// <param name="directory">A directory for keys only.</param>
    /// <param name="exists">Whether there is a resource with this id.</param>
    /// <param name="logger">Gets a warning for each invalid file.</param>
    public FileKeys(DurableDirectory directory, Predicate<string> exists, ILogger logger)
    {
        (this.directory, this.logger) = (directory, logger);
        var known = Files(Confirmed).Select(Read).OfType<IdempotencyRecord>().ToList();
        foreach (var create in Files(Pending).Select(Read).OfType<IdempotencyRecord>())
        {
            if (exists(create.Id))
            {
                known.Add(create);
                pendingById[create.Id] = create;
            }
            else
            {
                directory.Forget(create.Id + Pending);
            }
        }
        foreach (var create in known.OrderBy(create => create.Created))
        {
            Forget(table.Add(create));
        }
    }

    /// <summary>Finds a key; waits for a create with it that is in progress.</summary>
    public async ValueTask<IdempotencyRecord?> FindAsync(string key, CancellationToken cancel)
    {
        if (unfinished.TryGetValue(key, out var end))
        {
            await end.Task.WaitAsync(cancel);
        }
        return table.Find(key);
    }

    /// <summary>To be called first, and <see cref="End"/> when the create has ended.</summary>
    public TaskCompletionSource Begin(IdempotencyRecord create) =>
        unfinished[create.Key] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void End(IdempotencyRecord create, TaskCompletionSource end)
    {
        unfinished.TryRemove(KeyValuePair.Create(create.Key, end));
        end.SetResult();
    }

    /// <summary>To be called before the resource is written.</summary>
    /// <exception cref="StorageException">The outcome is unknown.</exception>
    public void Write(IdempotencyRecord create) => directory.Write(
        create.Id + Pending,
        JsonSerializer.SerializeToUtf8Bytes(FileKey.FromDomain(create), FileKeyJson.Default.FileKey));

    /// <summary>To be called when the resource could not be created.</summary>
    public void Withdraw(IdempotencyRecord create) => directory.Forget(create.Id + Pending);

    /// <summary>To be called when the resource is on the disk: from now on a lookup finds the key.</summary>
    public void Add(IdempotencyRecord create)
    {
        pendingById[create.Id] = create;
        Forget(table.Add(create));
    }

    /// <summary>To be called before a resource is deleted: its key must stay valid without it.</summary>
    /// <exception cref="StorageException">The outcome is unknown; the resource must not be deleted.</exception>
    public void Confirm(string id)
    {
        if (!pendingById.TryGetValue(id, out var create))
        {
            return;
        }
        try
        {
            directory.Rename(id + Pending, id + Confirmed);
        }
        catch (StorageException) when (table.Find(create.Key) != create)
        {
            // The key was evicted meanwhile.
        }
        pendingById.TryRemove(id, out _);
    }

    /// <inheritdoc cref="DurableDirectory.ThrowIfFailed"/>
    public void ThrowIfFailed() => directory.ThrowIfFailed();

    /// <inheritdoc cref="DurableDirectory.RequireInPlace"/>
    public void RequireInPlace() => directory.RequireInPlace();

    public void Dispose() => directory.Dispose();

    private FileInfo[] Files(string suffix) => new DirectoryInfo(directory.Path).GetFiles("*" + suffix);

    private IdempotencyRecord? Read(FileInfo file)
    {
        string problem;
        try
        {
            // A pipe or a device must not be opened.
            var create = file.Length == 0
                ? null
                : JsonSerializer.Deserialize(File.ReadAllBytes(file.FullName), FileKeyJson.Default.FileKey)?.ToDomain();
            if (create?.Id == Path.GetFileNameWithoutExtension(file.Name))
            {
                return create;
            }
            problem = create is null ? "it is empty" : "it is named after another resource";
        }
        catch (Exception error) when (error is JsonException or FormatException or OverflowException or IOException
            or UnauthorizedAccessException)
        {
            problem = error.Message;
        }
        logger.LogWarning(
            "File {File} is no idempotency key and not touched; a retry with it would make a new resource: {Reason}",
            file.FullName,
            problem);
        return null;
    }

    private void Forget(IReadOnlyList<IdempotencyRecord> gone)
    {
        foreach (var create in gone)
        {
            pendingById.TryRemove(create.Id, out _);
            directory.Forget(create.Id + Pending);
            directory.Forget(create.Id + Confirmed);
        }
    }
}

/// <summary>An idempotency record in its file format.</summary>
internal sealed record FileKey(string Key, string BodyHash, string TaskId, string Version, DateTimeOffset Created)
{
    public static FileKey FromDomain(IdempotencyRecord create) => new(
        create.Key, $"{create.BodyHash:x32}", create.Id, create.Version.ToString(), create.Created);

    /// <exception cref="FormatException">A hash is malformed.</exception>
    /// <exception cref="OverflowException">A hash is too long.</exception>
    public IdempotencyRecord ToDomain() => new(
        Key, ParseHash(BodyHash), TaskId, new ContentVersion(ParseHash(Version)), Created);

    private static UInt128 ParseHash(string text) =>
        UInt128.Parse(text, System.Globalization.NumberStyles.AllowHexSpecifier, null);
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FileKey))]
internal sealed partial class FileKeyJson : JsonSerializerContext;
