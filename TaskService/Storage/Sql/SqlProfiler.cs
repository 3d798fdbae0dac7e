using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using TaskService.Configuration;
using TaskService.Domain;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Sql;

/// <inheritdoc/>
/// <remarks>
/// Plans are read in the background, one at a time, so that no request waits for one or fails with it.
/// </remarks>
/// <param name="explain">Returns the lines of the plan of a statement, and has no effect on the data.</param>
/// <param name="loggers">Of which one gets the plans.</param>
/// <param name="time">The clock; null for that of the system.</param>
/// <typeparam name="T">What the engine needs besides the text, such as parameters.</typeparam>
internal sealed partial class SqlProfiler<T>(
    Func<string, T, CancellationToken, Task<IReadOnlyList<string>>> explain,
    ILoggerFactory loggers,
    TimeProvider? time = null) : ISqlProfiler, IAsyncDisposable
{
    public const int StatementsMax = 1_000;
    private const int PlanCharactersMax = 65_536;

    private static readonly Meter Meter = new("TaskService");

    private static readonly Counter<long> NotExplained = Meter.CreateCounter<long>(
        "taskservice.storage.statements.not_explained",
        "{statement}",
        "Statements that the SQL profiler did not explain, since there were too many or the plan could not be read.");

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly ILogger logger = loggers.CreateLogger($"{LoggingSettings.LoggerName}.sql_profiler");
    private readonly SemaphoreSlim turn = new(1);
    private readonly CancellationTokenSource stopping = new();
    private readonly Lock gate = new();
    private ITimer? timer;
    private volatile Profile? profile;

    public SqlProfilerState State
    {
        get
        {
            lock (gate)
            {
                return new(
                    profile?.Until,
                    profile?.Seen.Count ?? 0,
                    StatementsMax,
                    profile?.NotExplained ?? 0,
                    logger.IsEnabled(LogLevel.Information));
            }
        }
    }

    public void Enable()
    {
        lock (gate)
        {
            timer?.Dispose();
            var enabled = profile ??= new Profile();
            var until = time.GetUtcNow() + ISqlProfiler.TimeMax;
            enabled.Until = until;
            // An expiry that has begun when the time is extended finds another one, and has no effect.
            timer = time.CreateTimer(
                _ => Disable(onlyAt: until), null, ISqlProfiler.TimeMax, Timeout.InfiniteTimeSpan);
        }
        Log(LogLevel.Information, [new(LogEvent.Message, "SQL PROFILER ON"), new("minutes", Minutes)]);
    }

    public void Disable() => Disable(onlyAt: null);

    /// <summary>Takes a statement that is about to be executed; while it is off, this is one volatile read.</summary>
    /// <param name="sql">The text.</param>
    /// <param name="statement">Is handed to the function that explains.</param>
    public void Offer(string sql, T statement)
    {
        if (profile is { } current)
        {
            Offer(current, sql, statement);
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            timer?.Dispose();
            profile = null;
        }
        await stopping.CancelAsync();
        // The statements that wait return at once. Engines are disposed of more than once.
        await turn.WaitAsync();
        turn.Release();
    }

    /// <summary>Whether a statement only reads, as far as its text shows: a function that it calls may write.</summary>
    public static bool IsSelect(string sql) => Select().IsMatch(CommentOrText().Replace(sql, " "));

    private static int Minutes => (int)ISqlProfiler.TimeMax.TotalMinutes;

    private void Disable(DateTimeOffset? onlyAt)
    {
        int statements;
        lock (gate)
        {
            if (profile is not { } current || (onlyAt is not null && current.Until != onlyAt))
            {
                return;
            }
            timer?.Dispose();
            profile = null;
            statements = current.Seen.Count;
        }
        Log(LogLevel.Information, [new(LogEvent.Message, "SQL PROFILER OFF"), new("statements", statements)]);
    }

    private void Offer(Profile current, string sql, T statement)
    {
        lock (gate)
        {
            if (current.Seen.Contains(sql) || !IsSelect(sql) || !logger.IsEnabled(LogLevel.Information))
            {
                return;
            }
            if (current.Seen.Count >= StatementsMax)
            {
                Count(current);
                return;
            }
            current.Seen.Add(sql);
        }
        // Unsafe: it must not inherit the operation of the request.
        ThreadPool.UnsafeQueueUserWorkItem(
            static one => _ = one.Profiler.ExplainAsync(one.Current, one.Sql, one.Statement),
            (Profiler: this, Current: current, Sql: sql, Statement: statement),
            preferLocal: false);
    }

    private async Task ExplainAsync(Profile current, string sql, T statement)
    {
        await turn.WaitAsync();
        try
        {
            if (profile == current)
            {
                var plan = string.Join('\n', await explain(sql, statement, stopping.Token));
                plan = plan.Length <= PlanCharactersMax ? plan : $"{plan[..PlanCharactersMax]}…";
                Log(
                    LogLevel.Information,
                    [new(LogEvent.Message, "SQL PLAN"), new("statement", sql), new("plan", plan)]);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The engine is being closed.
        }
        catch (Exception error)
        {
            lock (gate)
            {
                Count(current);
            }
            Log(
                LogLevel.Warning,
                [new(LogEvent.Message, "SQL PLAN FAILED"), new("statement", sql), new("reason", error.Message)]);
        }
        finally
        {
            turn.Release();
        }
    }

    private static void Count(Profile current)
    {
        current.NotExplained++;
        NotExplained.Add(1);
    }

    private void Log(LogLevel level, ReadOnlySpan<Field> fields)
    {
        var list = new FieldList();
        list.Append(fields);
        LogFields.Write(logger, level, list);
    }

    [GeneratedRegex(@"--[^\n]*|/\*.*?\*/|'[^']*'|""[^""]*""", RegexOptions.Singleline)]
    private static partial Regex CommentOrText();

    [GeneratedRegex(
        @"\A[\s(]*(SELECT\b|WITH\b(?!.*\b(INSERT|UPDATE|DELETE|MERGE)\b))",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Select();

    /// <summary>Since it was enabled. Guarded by the gate.</summary>
    private sealed class Profile
    {
        public HashSet<string> Seen { get; } = new(StringComparer.Ordinal);

        public DateTimeOffset Until { get; set; }

        public long NotExplained { get; set; }
    }
}
