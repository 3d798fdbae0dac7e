using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Postgres;
using TaskService.Storage.Sqlite;

namespace TaskService.Storage;

/// <summary>What an engine is made with, besides its own settings.</summary>
/// <param name="Loggers">For what it has to say.</param>
/// <param name="ServiceName">By which others know whose connections these are.</param>
/// <param name="IsReadOnly">
/// Whether it is only read from, as the source of a copy: <see cref="ITaskStore.OpenAsync"/> then creates, migrates and
/// changes nothing, and fails where there is no storage of this service; nobody asks for changes.
/// </param>
/// <param name="IsMigrateOnly">
/// Whether the schema is brought up to date and nothing else, because someone asked for that.
/// </param>
internal sealed record StoreSetup(
    ILoggerFactory Loggers, string ServiceName, bool IsReadOnly = false, bool IsMigrateOnly = false);

/// <summary>The storage engines that a configuration can choose from.</summary>
internal static class StorageEngines
{
    // One line an engine: its name in the configuration, and what reads the value that stands there.
    private static readonly OrderedDictionary<string, Func<ConfigSection, string, Func<StoreSetup, ITaskStore>>>
        Engines = new()
        {
            ["memory"] = MemoryTaskStore.Read,
            ["fs"] = FileTaskStore.Read,
            ["sqlite"] = SqliteTaskStore.Read,
            ["postgres"] = PostgresTaskStore.Read,
        };

    /// <summary>Reads which engine is to be used.</summary>
    /// <returns>Makes the engine; opens nothing.</returns>
    public static Func<StoreSetup, ITaskStore> Read(ConfigSection parent, string key)
    {
        var section = parent.Section(key);
        foreach (var name in Engines.Keys)
        {
            section.Allow(name);
        }
        var allowed = string.Join(", ", Engines.Keys);
        var chosen = Engines.Keys.Intersect(section.Keys).ToList();
        if (chosen.Count == 1)
        {
            return Engines[chosen[0]](section, chosen[0]);
        }
        if (chosen.Count > 1)
        {
            section.Problem(
                chosen[^1], $"{string.Join(" and ", chosen)} are two storage engines; choose one of {allowed}");
        }
        else if (!section.Keys.Any())
        {
            parent.Problem(key, $"no storage engine is chosen (allowed: {allowed})");
        }
        return _ => new MemoryTaskStore();
    }
}
