using System.Collections;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Storage.FileSystem;
using TaskService.Telemetry.Logging;

namespace TaskService.Hosting;

/// <summary>
/// Copies all tasks from one storage engine to another, under the same ids, a few at a time: memory does not grow with
/// their number. Idempotency keys stay behind; they live for a day.
/// </summary>
internal static class StoreCopy
{
    /// <summary>So many changes wait for the disk of the target at once; engines commit them together.</summary>
    private const int ChangesAtOnce = 64;

    private const int ProgressItems = 10_000;

    /// <param name="from">Such as <c>fs:data/tasks</c> or <c>postgres:{ primary: "Host=db" }</c>.</param>
    /// <param name="to">As well; it must hold no task.</param>
    /// <param name="output">Gets a line at the end.</param>
    /// <param name="progress">Gets the number of tasks that are copied so far; null for none.</param>
    /// <returns>The exit code.</returns>
    /// <exception cref="ConfigException">One of them is none.</exception>
    /// <exception cref="StorageException">One of them fails; what is in the target is not all.</exception>
    public static async Task<int> RunAsync(string from, string to, TextWriter output, IProgress<long>? progress)
    {
        var problems = new ConfigProblems();
        var quiet = new ConfigSection("logging", null, "default", problems);
        using var logs = new LogSystem(LoggingSettings.Read(quiet, debug: false));
        using var loggers = LoggerFactory.Create(
            logging => logging.AddProvider(logs).SetMinimumLevel(LogLevel.Warning));
        var setup = new StoreSetup(loggers, "TaskService copy");
        var (openSource, openTarget) = (Read("--from", from, problems), Read("--to", to, problems));
        if (problems.Lines.Count > 0)
        {
            throw new ConfigException(problems.Lines);
        }
        await using var source = openSource(setup with { IsReadOnly = true });
        await source.OpenAsync(CancellationToken.None);
        await using var batches = source.ListAsync(TaskQuery.All, CancellationToken.None)
            .Chunk(ChangesAtOnce)
            .GetAsyncEnumerator();
        // Of a source that cannot be read, no target is made.
        var hasBatch = await batches.MoveNextAsync();
        await using var target = openTarget(setup);
        if (source.Place is { } place && target.Place is { } targetPlace && FileIdentity.AreSame(place, targetPlace))
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"--to: {NameOf(to)} is the place that --from names; nothing was copied");
        }
        await target.OpenAsync(CancellationToken.None);
        if (await target.ListIdsDescendingAsync(CancellationToken.None).FirstOrDefaultAsync() is { } id)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"--to: {NameOf(to)} holds tasks already, such as {id}; nothing was copied");
        }
        var count = 0L;
        for (; hasBatch; hasBatch = await batches.MoveNextAsync())
        {
            await Task.WhenAll(batches.Current.Select(task => AddAsync(target, task)));
            count += batches.Current.Length;
            if (count / ProgressItems > (count - batches.Current.Length) / ProgressItems)
            {
                progress?.Report(count);
            }
        }
        await output.WriteLineAsync($"copied {count} tasks from {NameOf(from)} to {NameOf(to)}");
        return ExitCodes.Fine;
    }

    private static async Task AddAsync(ITaskStore target, StoredTask task)
    {
        if (!await target.CreateAsync(task, idempotency: null, CancellationToken.None))
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"the target takes {task.Id} for taken, by one that differs in case only; it does not hold all tasks");
        }
    }

    // A mapping may hold a password.
    private static string NameOf(string text) =>
        text.Contains('{', StringComparison.Ordinal) ? text[..text.IndexOf(':', StringComparison.Ordinal)] : text;

    /// <summary>Reads an engine and, after the first colon, what stands under its name in a configuration.</summary>
    private static Func<StoreSetup, ITaskStore> Read(string option, string text, ConfigProblems problems)
    {
        var (engine, value) = text.Split(':', 2) is [var name, var rest] ? (name, rest) : (text, "");
        if (engine == "memory")
        {
            problems.Add(option, "", "memory ends with this process; choose an engine that keeps tasks");
        }
        var members = new OrderedDictionary<string, ConfigNode>(StringComparer.Ordinal)
        {
            [engine] = value.TrimStart().StartsWith('{')
                ? YamlConfig.Read(option, value, Variables(), problems)
                : new ConfigScalar(value.Length == 0 ? null : value, option),
        };
        var map = new ConfigMap(option);
        map.Members.Add("task-db", new ConfigMap(members, option));
        var root = new ConfigSection("", map, option, problems);
        var open = StorageEngines.Read(root, "task-db");
        root.ReportUnknown();
        return open;
    }

    private static Dictionary<string, string> Variables() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "");
}
