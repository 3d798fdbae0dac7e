using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Idempotency keys in files, one per key, named by the id of the created task. A key is written before its task: while
/// pending, it is valid if the task exists. A key without a task was never acknowledged, and is removed at the next
/// start. Before its task is deleted, a key is confirmed: then it is valid by itself.
/// </summary>
internal sealed class FileKeys : IDisposable
{
    private const string Confirmed = ".key";
    private const string Pending = ".pending";

    private readonly KeyTable table = new();
    private readonly ConcurrentDictionary<string, IdempotencyRecord> pendingByTask = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> unfinished = new(StringComparer.Ordinal);
    private readonly DurableDirectory directory;
    private readonly ILogger logger;

    /// <summary>Reads the keys.</summary>
    /// <param name="directory">A directory for keys only.</param>
    /// <param name="taskExists">Whether there is a task with this id.</param>
    /// <param name="logger">Gets a warning for each invalid file.</param>
    public FileKeys(DurableDirectory directory, Predicate<string> taskExists, ILogger logger)
    {
        (this.directory, this.logger) = (directory, logger);
        var known = Files(Confirmed).Select(Read).OfType<IdempotencyRecord>().ToList();
        foreach (var create in Files(Pending).Select(Read).OfType<IdempotencyRecord>())
        {
            if (taskExists(create.TaskId))
            {
                known.Add(create);
                pendingByTask[create.TaskId] = create;
            }
            else
            {
                directory.Forget(create.TaskId + Pending);
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

    /// <summary>To be called before the task is written.</summary>
    /// <exception cref="StorageException">The outcome is unknown.</exception>
    public void Write(IdempotencyRecord create) => directory.Write(
        create.TaskId + Pending,
        JsonSerializer.SerializeToUtf8Bytes(FileKey.FromDomain(create), FileKeyJson.Default.FileKey));

    /// <summary>To be called when the task could not be created.</summary>
    public void Withdraw(IdempotencyRecord create) => directory.Forget(create.TaskId + Pending);

    /// <summary>To be called when the task is on the disk: from now on a lookup finds the key.</summary>
    public void Add(IdempotencyRecord create)
    {
        pendingByTask[create.TaskId] = create;
        Forget(table.Add(create));
    }

    /// <summary>To be called before a task is deleted: its key must stay valid without the task.</summary>
    /// <exception cref="StorageException">The outcome is unknown; the task must not be deleted.</exception>
    public void Confirm(string taskId)
    {
        if (!pendingByTask.TryGetValue(taskId, out var create))
        {
            return;
        }
        try
        {
            directory.Rename(taskId + Pending, taskId + Confirmed);
        }
        catch (StorageException) when (table.Find(create.Key) != create)
        {
            // The key was evicted meanwhile.
        }
        pendingByTask.TryRemove(taskId, out _);
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
            if (create?.TaskId == Path.GetFileNameWithoutExtension(file.Name))
            {
                return create;
            }
            problem = create is null ? "it is empty" : "it is named after another task";
        }
        catch (Exception error) when (error is JsonException or FormatException or OverflowException or IOException
            or UnauthorizedAccessException)
        {
            problem = error.Message;
        }
        logger.LogWarning(
            "File {File} is no idempotency key and not touched; a retry with it would make a new task: {Reason}",
            file.FullName,
            problem);
        return null;
    }

    private void Forget(IReadOnlyList<IdempotencyRecord> gone)
    {
        foreach (var create in gone)
        {
            pendingByTask.TryRemove(create.TaskId, out _);
            directory.Forget(create.TaskId + Pending);
            directory.Forget(create.TaskId + Confirmed);
        }
    }
}

/// <summary>An idempotency record in its file format.</summary>
internal sealed record FileKey(string Key, string BodyHash, string TaskId, string Version, DateTimeOffset Created)
{
    public static FileKey FromDomain(IdempotencyRecord create) => new(
        create.Key, $"{create.BodyHash:x32}", create.TaskId, create.Version.ToString(), create.Created);

    /// <exception cref="FormatException">A hash is malformed.</exception>
    /// <exception cref="OverflowException">A hash is too long.</exception>
    public IdempotencyRecord ToDomain() => new(
        Key, ParseHash(BodyHash), TaskId, new TaskVersion(ParseHash(Version)), Created);

    private static UInt128 ParseHash(string text) =>
        UInt128.Parse(text, System.Globalization.NumberStyles.AllowHexSpecifier, null);
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FileKey))]
internal sealed partial class FileKeyJson : JsonSerializerContext;
