using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>
/// Idempotency keys in files, one a key, with the name of the task that it made. It is written before the task: while
/// it is pending, it counts if the task is there. What made no task was never acknowledged, and goes at the next start.
/// Before its task is deleted, a key is confirmed, and counts by itself.
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
    /// <param name="directory">One of its own.</param>
    /// <param name="taskExists">Whether there is a task with this id.</param>
    /// <param name="logger">Is told of what is no key.</param>
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

    /// <summary>Finds a key, after any create with it that has begun and not ended.</summary>
    public async ValueTask<IdempotencyRecord?> FindAsync(string key, CancellationToken cancel)
    {
        if (unfinished.TryGetValue(key, out var end))
        {
            await end.Task.WaitAsync(cancel);
        }
        return table.Find(key);
    }

    /// <summary>To be called first, and <see cref="End"/> when the create has come to its end.</summary>
    public TaskCompletionSource Begin(IdempotencyRecord create) =>
        unfinished[create.Key] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void End(IdempotencyRecord create, TaskCompletionSource end)
    {
        unfinished.TryRemove(KeyValuePair.Create(create.Key, end));
        end.SetResult();
    }

    /// <summary>To be called before the task is written.</summary>
    /// <exception cref="StorageException">It is not known to be written.</exception>
    public void Write(IdempotencyRecord create) => directory.Write(
        create.TaskId + Pending,
        JsonSerializer.SerializeToUtf8Bytes(FileKey.FromDomain(create), FileKeyJson.Default.FileKey));

    /// <summary>To be called when the task could not be made.</summary>
    public void Withdraw(IdempotencyRecord create) => directory.Forget(create.TaskId + Pending);

    /// <summary>To be called when the task is on the disk: from now on the key is found.</summary>
    public void Add(IdempotencyRecord create)
    {
        pendingByTask[create.TaskId] = create;
        Forget(table.Add(create));
    }

    /// <summary>To be called before a task is deleted: its key must not look as if the task had never been.</summary>
    /// <exception cref="StorageException">It is not known to be confirmed; the task has to stay.</exception>
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
            // It was forgotten meanwhile.
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
            // Nothing is opened that might be a pipe or a device.
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

/// <summary>A remembered create as its file has it.</summary>
internal sealed record FileKey(string Key, string BodyHash, string TaskId, string Version, DateTimeOffset Created)
{
    public static FileKey FromDomain(IdempotencyRecord create) => new(
        create.Key, $"{create.BodyHash:x32}", create.TaskId, create.Version.ToString(), create.Created);

    /// <exception cref="FormatException">It does not hold what we wrote.</exception>
    /// <exception cref="OverflowException">It does not hold what we wrote.</exception>
    public IdempotencyRecord ToDomain() => new(
        Key, ParseHash(BodyHash), TaskId, new TaskVersion(ParseHash(Version)), Created);

    private static UInt128 ParseHash(string text) =>
        UInt128.Parse(text, System.Globalization.NumberStyles.AllowHexSpecifier, null);
}

[JsonSourceGenerationOptions(RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FileKey))]
internal sealed partial class FileKeyJson : JsonSerializerContext;
