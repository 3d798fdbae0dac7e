using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Storage.Tasks;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage;

/// <summary>The entities of this service.</summary>
internal static class Entities
{
    /// <summary>One line an entity, parents first.</summary>
    public static IReadOnlyList<Entity> All { get; } =
    [
        TaskRow.Entity,
    ];

    /// <summary>Adds the engine, and for each entity its store, also by the name of its table.</summary>
    /// <exception cref="ConfigException">A description contradicts itself; with a line for each mistake.</exception>
    public static void AddStorage(
        this IServiceCollection services,
        IReadOnlyList<Entity> entities,
        Func<ILoggerFactory, IEngine> createEngine,
        OperationSource telemetry)
    {
        var problems = Problems(entities).ToList();
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
        services.AddSingleton(provider => createEngine(provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<IStorage>(provider => provider.GetRequiredService<IEngine>());
        foreach (var entity in entities)
        {
            entity.Accept(new StoreRegistration(services, telemetry));
        }
    }

    /// <summary>The mistakes in descriptions, a line each.</summary>
    public static IEnumerable<string> Problems(IReadOnlyList<Entity> entities)
    {
        var tables = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entity in entities)
        {
            var where = $"storage: the entity {entity.Table}";
            var columns = entity.Columns.Select(column => column.Name).Prepend("id").ToList();
            if (entity.Table is "idempotency_keys" or "schema_migrations")
            {
                yield return $"{where} has a table of the engine's";
            }
            foreach (var twice in columns.GroupBy(name => name, StringComparer.OrdinalIgnoreCase)
                .Where(names => names.Count() > 1))
            {
                yield return $"{where} has two columns {twice.Key}";
            }
            foreach (var unknown in entity.FilterColumns.Except(columns))
            {
                yield return $"{where} has a filter on the column {unknown}, which it does not have";
            }
            foreach (var (column, table) in entity.Parents)
            {
                if (!entity.Columns.Any(own => own.Name == column && !own.IsNullable))
                {
                    yield return $"{where} has a reference in the column {column}, which it does not have, or which"
                        + " may be null";
                }
                if (!tables.Contains(table))
                {
                    yield return $"{where} refers to {table}, which is no entity before it; the list is in"
                        + $" {nameof(Entities)}.cs";
                }
            }
            if (!tables.Add(entity.Table))
            {
                yield return $"{where} is there twice";
            }
        }
    }

    private sealed class StoreRegistration(IServiceCollection services, OperationSource telemetry)
        : IEntityVisitor<IServiceCollection>
    {
        public IServiceCollection Visit<T>(Entity<T> entity)
            where T : class, IContent => services
            .AddSingleton(provider => ObservedStore<T>.Around(
                provider.GetRequiredService<IEngine>().Store(entity), entity.Table, telemetry))
            .AddSingleton<IStore>(provider => provider.GetRequiredService<IStore<T>>())
            .AddKeyedSingleton<IStore>(entity.Table, (provider, _) => provider.GetRequiredService<IStore<T>>());
    }
}
