using TaskService.Domain;
using TaskService.Storage;
using TaskService.Storage.Tasks;

namespace TaskService.Tests.Storage;

/// <summary>What <see cref="StoreContract"/> needs to know of an entity.</summary>
internal abstract class StoreCase
{
    public abstract IStoreUnderTest Store(IEngine engine);
}

/// <inheritdoc/>
/// <param name="entity">Its description.</param>
/// <param name="numbered">Makes any number of values, all different.</param>
/// <param name="values">Values that are hard to store or to compare, each property set once, all different.</param>
/// <param name="queries">
/// Each restricts by one or more filters, and matches some of <paramref name="values"/>; every filter is used.
/// </param>
internal sealed class StoreCase<T>(
    Entity<T> entity, Func<int, T> numbered, IReadOnlyList<T> values, IReadOnlyList<Query<T>> queries) : StoreCase
    where T : class, IContent
{
    public Entity<T> Entity => entity;

    public Func<int, T> Numbered => numbered;

    public IReadOnlyList<T> Values => values;

    public IReadOnlyList<Query<T>> Queries => queries;

    public override IStoreUnderTest Store(IEngine engine) =>
        new StoreUnderTest<T>(this, engine.Store(entity), Parents?.Invoke(engine));

    /// <summary>
    /// Adds the entities that the values belong to, and returns what creates such parents in the open engine; null when
    /// the values belong to nothing.
    /// </summary>
    public Func<IEngine, Func<Task>>? Parents { get; init; }
}

/// <summary>Tasks, for the engines of the service.</summary>
internal static class TaskCase
{
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;

    public static StoreCase<TaskEntry> Instance { get; } = new(
        TaskRow.Entity,
        number => new TaskEntry { Title = $"task {number}" },
        [
            new TaskEntry
            {
                Title = "žluť \U0001F600 </script> \u2028 \"\\\n\t\u0001",
                Description = "",
                Priority = TaskPriority.Urgent,
                Completed = true,
                DueDate = Epoch.AddMicroseconds(1_663_738_852_123_456),
            },
            new TaskEntry { Title = "plain" },
            new TaskEntry { Title = "low", Priority = TaskPriority.Low, Description = "d" },
            new TaskEntry { Title = "done", Completed = true },
            new TaskEntry { Title = "high", Priority = TaskPriority.High, DueDate = Epoch },
            new TaskEntry { Title = "before the epoch", DueDate = Epoch.AddTicks(-10) },
            new TaskEntry { Title = "before that", DueDate = Epoch.AddTicks(-20) },
            new TaskEntry { Title = "the last of all", DueDate = DateTimeOffset.MaxValue },
            new TaskEntry { Title = "the first of all", DueDate = DateTimeOffset.MinValue },
        ],
        [
            new TaskQuery { Completed = true },
            new TaskQuery { Completed = false },
            new TaskQuery { Priority = TaskPriority.High },
            new TaskQuery { DueBefore = Epoch },
            // A bound between two microseconds includes the first.
            new TaskQuery { DueBefore = Epoch.AddTicks(1) },
            new TaskQuery { DueBefore = Epoch.AddTicks(9) },
            new TaskQuery { DueBefore = Epoch.AddTicks(-1) },
            new TaskQuery { DueBefore = Epoch.AddTicks(-19) },
            new TaskQuery { DueBefore = DateTimeOffset.MaxValue },
            new TaskQuery { Completed = true, Priority = TaskPriority.Urgent, DueBefore = DateTimeOffset.MaxValue },
            new TaskQuery { Completed = false, Priority = TaskPriority.Low },
        ]);
}
