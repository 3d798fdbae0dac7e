using System.Collections;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Storage.FileSystem;
using TaskService.Telemetry.Logging;

namespace TaskService.Hosting;

/// <summary>
/// Copies all data from one storage engine to another, under the same ids, a few values at a time: memory does not grow
/// with their number. Idempotency keys stay behind; they live for a day.
/// </summary>
internal static class StoreCopy
{
    /// <summary>So many changes wait for the disk of the target at once; engines commit them together.</summary>
    private const int ChangesAtOnce = 64;

    private const int ProgressItems = 10_000;

    /// <param name="from">Such as <c>fs:data/tasks</c> or <c>postgres:{ primary: "Host=db" }</c>.</param>
    /// <param name="to">As well; it must be empty.</param>
    /// <param name="output">Gets a line at the end.</param>
    /// <param name="progress">Gets the number of values of a table that are copied so far; null for none.</param>
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
        await using var source = openSource!(setup with { IsReadOnly = true });
        var copies = Entities.All.Select(entity => entity.Accept(new CopyOf(source))).ToList();
        await source.OpenAsync(CancellationToken.None);
        // Of a source that cannot be read, no target is made.
        foreach (var copy in copies)
        {
            await copy.BeginAsync();
        }
        await using var target = openTarget!(setup);
        if (source.Place is { } place && target.Place is { } targetPlace && FileIdentity.AreSame(place, targetPlace))
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable, $"--to: {NameOf(to)} is the place that --from names; nothing was copied");
        }
        copies.ForEach(copy => copy.AddTarget(target));
        await target.OpenAsync(CancellationToken.None);
        foreach (var copy in copies)
        {
            if (await copy.FindInTargetAsync() is { } id)
            {
                throw new StorageException(
                    ErrorKind.StorageUnavailable,
                    $"--to: {NameOf(to)} holds {copy.Table} already, such as {id}; nothing was copied");
            }
        }
        var counts = new List<string>();
        foreach (var copy in copies)
        {
            // Nothing is said of an entity that there is nothing of, but for the first one.
            var count = await copy.RunAsync(progress);
            if (count > 0 || counts.Count == 0)
            {
                counts.Add($"{count} {copy.Table}");
            }
        }
        await output.WriteLineAsync($"copied {string.Join(", ", counts)} from {NameOf(from)} to {NameOf(to)}");
        return ExitCodes.Fine;
    }

    // A mapping may hold a password.
    private static string NameOf(string text) =>
        text.Contains('{', StringComparison.Ordinal) ? text[..text.IndexOf(':', StringComparison.Ordinal)] : text;

    /// <summary>Reads an engine and, after the first colon, what stands under its name in a configuration.</summary>
    private static Func<StoreSetup, IEngine>? Read(string option, string text, ConfigProblems problems)
    {
        var (engine, value) = text.Split(':', 2) is [var name, var rest] ? (name, rest) : (text, "");
        if (engine == "memory")
        {
            problems.Add(option, "", "memory ends with this process; choose an engine that keeps tasks");
        }
        ConfigNode settings = value.TrimStart().StartsWith('{')
            ? YamlConfig.Read(option, value, Variables(), problems)
            : new ConfigScalar(value.Length == 0 ? null : value, option);
        return StorageEngines.Read(option, engine, settings, problems);
    }

    private static Dictionary<string, string> Variables() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "");

    private sealed class CopyOf(IEngine source) : IEntityVisitor<ICopy>
    {
        public ICopy Visit<T>(Entity<T> entity)
            where T : class, IContent => new Copy<T>(entity, source.Store(entity));
    }

    /// <summary>The copy of an entity of any type.</summary>
    private interface ICopy
    {
        string Table { get; }

        /// <summary>Reads the first values.</summary>
        Task BeginAsync();

        void AddTarget(IEngine engine);

        /// <returns>An id that the target has already; null when it has none.</returns>
        Task<string?> FindInTargetAsync();

        /// <returns>The number of values.</returns>
        Task<long> RunAsync(IProgress<long>? progress);
    }

    private sealed class Copy<T>(Entity<T> entity, IStore<T> source) : ICopy
        where T : class, IContent
    {
        private IAsyncEnumerator<Stored<T>[]> batches = null!;
        private IStore<T> target = null!;
        private bool hasBatch;

        public string Table => entity.Table;

        public async Task BeginAsync()
        {
            batches = source.ListAsync(new Query<T>(), CancellationToken.None)
                .Chunk(ChangesAtOnce)
                .GetAsyncEnumerator();
            hasBatch = await batches.MoveNextAsync();
        }

        public void AddTarget(IEngine engine) => target = engine.Store(entity);

        public async Task<string?> FindInTargetAsync() =>
            await target.ListIdsDescendingAsync(CancellationToken.None).FirstOrDefaultAsync();

        public async Task<long> RunAsync(IProgress<long>? progress)
        {
            var count = 0L;
            for (; hasBatch; hasBatch = await batches.MoveNextAsync())
            {
                await Task.WhenAll(batches.Current.Select(AddAsync));
                count += batches.Current.Length;
                if (count / ProgressItems > (count - batches.Current.Length) / ProgressItems)
                {
                    progress?.Report(count);
                }
            }
            await batches.DisposeAsync();
            return count;
        }

        private async Task AddAsync(Stored<T> item)
        {
            if (await target.CreateAsync(item, idempotency: null, CancellationToken.None) is { } refusal)
            {
                var reason = refusal == ErrorKind.ParentNotFound
                    ? $"{item.Id} belongs to what the source does not have"
                    : $"the target takes {item.Id} for taken, by one that differs in case only";
                throw new StorageException(
                    ErrorKind.StorageUnavailable, $"{reason}; the target does not hold all {Table}");
            }
        }
    }
}
