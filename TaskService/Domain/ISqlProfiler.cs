namespace TaskService.Domain;

/// <summary>
/// Explains the SELECT statements of a storage engine while it is enabled: the plan of each distinct text, once, goes
/// to the logger <c>taskservice.sql_profiler</c> at information. It turns itself off after <see cref="TimeMax"/>.
/// </summary>
internal interface ISqlProfiler
{
    /// <summary>How long it stays enabled.</summary>
    static TimeSpan TimeMax { get; } = TimeSpan.FromMinutes(15);

    SqlProfilerState State { get; }

    /// <summary>Enables it for <see cref="TimeMax"/> from now on. While it is enabled, statements that were explained
    /// are not explained again.</summary>
    void Enable();

    /// <summary>Disables it, and forgets the statements that were explained.</summary>
    void Disable();
}

/// <param name="Until">When it turns itself off; null when it is off.</param>
/// <param name="Statements">Distinct statements since it was enabled, at most <paramref name="StatementsMax"/>.</param>
/// <param name="StatementsMax">Beyond, statements are not explained.</param>
/// <param name="NotExplained">Executions of statements beyond that limit, and statements that could not be
/// explained.</param>
/// <param name="IsLogged">Whether the level of the logger lets plans through; otherwise no statement is taken.</param>
internal sealed record SqlProfilerState(
    DateTimeOffset? Until, int Statements, int StatementsMax, long NotExplained, bool IsLogged);
