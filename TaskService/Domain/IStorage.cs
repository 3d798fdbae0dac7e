namespace TaskService.Domain;

/// <summary>A storage engine as a whole, whatever it keeps. The contract of its stores is <see cref="IStore{T}"/>.
/// </summary>
internal interface IStorage : IAsyncDisposable
{
    /// <summary>
    /// The last migration of the schema that was applied, such as <c>001_tasks.sql</c>; null when the engine has none.
    /// </summary>
    string? SchemaVersion => null;

    /// <summary>The file or directory of this machine that holds the data; null when none does.</summary>
    string? Place => null;

    /// <summary>Explains statements, once the storage is open; null when the engine has none.</summary>
    ISqlProfiler? Profiler => null;

    /// <summary>
    /// Creates the storage if it is missing, migrates its schema, and loads what the engine keeps in memory. Called
    /// once, before any store is used.
    /// </summary>
    /// <exception cref="StorageException">It cannot be opened; the message says in one line what, where and
    /// why.</exception>
    Task OpenAsync(CancellationToken cancel);

    /// <summary>Readiness probe: returns when the engine accepts changes.</summary>
    /// <exception cref="StorageException">It does not; the message says why.</exception>
    ValueTask PingAsync(CancellationToken cancel);

    /// <summary>What can fail beside that, such as each replica.</summary>
    IReadOnlyList<StorageCheck> Checks => [];
}

/// <summary>A check of a part of the storage.</summary>
/// <param name="Name">Such as <c>migrations</c>.</param>
/// <param name="Level">1 for what requests depend on, 2 for the rest.</param>
/// <param name="RunAsync">Throws <see cref="StorageException"/>, whose message says why, when it fails.</param>
internal sealed record StorageCheck(string Name, int Level, Func<CancellationToken, Task> RunAsync);
