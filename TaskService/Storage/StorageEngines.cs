using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.FileSystem;
using TaskService.Storage.Postgres;
using TaskService.Storage.Sql;
using TaskService.Storage.Sqlite;
using TaskService.Storage.Tasks;

namespace TaskService.Storage;

/// <summary>Arguments of every engine's constructor, besides its own settings.</summary>
/// <param name="Loggers">Of the engine and its driver.</param>
/// <param name="ServiceName">Names the connections on a server.</param>
/// <param name="IsReadOnly">
/// Whether the storage is only read, as the source of a copy: <see cref="IStorage.OpenAsync"/> then creates, migrates
/// and changes nothing, and fails where there is no storage of this service; no changes are requested.
/// </param>
/// <param name="IsMigrateOnly">Whether only the schema is migrated, by <c>--migrate-only</c>.</param>
internal sealed record StoreSetup(
    ILoggerFactory Loggers, string ServiceName, bool IsReadOnly = false, bool IsMigrateOnly = false);

/// <summary>An engine, which keeps any entity that is described to it.</summary>
internal interface IEngine : IStorage
{
    /// <summary>The store of an entity; called once for each, before <see cref="IStorage.OpenAsync"/>.</summary>
    IStore<T> Store<T>(Entity<T> entity)
        where T : class, IContent;

    /// <summary>Its database, for tools; null for an engine without SQL.</summary>
    SqlDatabase? Database => null;
}

/// <summary>The storage engines that a configuration can choose from.</summary>
internal static class StorageEngines
{
    // One line per engine: its name in the configuration, and the function that reads its settings.
    private static readonly OrderedDictionary<string, Func<ConfigSection, string, Func<StoreSetup, IEngine>?>>
        Engines = new()
        {
            ["memory"] = MemoryEngine.Read,
            ["fs"] = FileEngine.Read,
            ["sqlite"] = (section, key) => SqliteEngine.Read(section, key, new TutorialImport()),
            ["postgres"] = PostgresEngine.Read,
        };

    /// <summary>Their names, as messages list them.</summary>
    public static string Names { get; } = string.Join(", ", Engines.Keys);

    /// <summary>Reads the storage engine and its settings.</summary>
    /// <returns>A factory of the engine, which opens nothing; null with a problem of the configuration.</returns>
    public static Func<StoreSetup, IEngine>? Read(ConfigSection parent, string key)
    {
        var section = parent.Section(key);
        foreach (var name in Engines.Keys)
        {
            section.Allow(name);
        }
        var chosen = Engines.Keys.Intersect(section.Keys).ToList();
        if (chosen.Count == 1)
        {
            return Engines[chosen[0]](section, chosen[0]);
        }
        if (chosen.Count > 1)
        {
            section.Problem(
                chosen[^1], $"{string.Join(" and ", chosen)} are two storage engines; choose one of {Names}");
        }
        else if (!section.Keys.Any())
        {
            parent.Problem(key, $"no storage engine is chosen (allowed: {Names})");
        }
        return null;
    }

    /// <summary>As <see cref="Read(ConfigSection, string)"/>, from an option of the command line.</summary>
    /// <param name="option">Its name, for messages.</param>
    /// <param name="engine">Its name in the configuration.</param>
    /// <param name="value">What stands under the name there.</param>
    /// <param name="problems">Of the option.</param>
    public static Func<StoreSetup, IEngine>? Read(
        string option, string engine, ConfigNode value, ConfigProblems problems)
    {
        var members = new OrderedDictionary<string, ConfigNode>(StringComparer.Ordinal) { [engine] = value };
        var map = new ConfigMap(option);
        map.Members.Add("task-db", new ConfigMap(members, option));
        var root = new ConfigSection("", map, option, problems);
        var open = Read(root, "task-db");
        root.ReportUnknown();
        return open;
    }
}
