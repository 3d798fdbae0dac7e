using Microsoft.Extensions.Time.Testing;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Tests.Storage.Sql;

/// <summary>Which statements the SQL profiler takes, and for how long.</summary>
public sealed class SqlProfilerTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private ProfilerLog log = new();
    private int running;
    private int runningMax;

    public void Dispose() => log.Dispose();

    [Theory]
    [InlineData("SELECT 1", true)]
    [InlineData("select id from tasks", true)]
    [InlineData("-- why\n  (SELECT 1) UNION (SELECT 2)", true)]
    [InlineData("with a as (select 1) select * from a", true)]
    [InlineData("WITH a AS (SELECT 'DELETE' AS \"UPDATE\", updated FROM t) SELECT * FROM a", true)]
    [InlineData("WITH a AS (INSERT INTO t VALUES (1) RETURNING id) SELECT * FROM a", false)]
    [InlineData("with a as (delete from t returning id)\nselect * from a", false)]
    [InlineData("INSERT INTO t SELECT 1", false)]
    [InlineData("UPDATE t SET a = 1", false)]
    [InlineData("/* SELECT */ DELETE FROM t", false)]
    [InlineData("SELECTED", false)]
    public async Task Only_selects_are_taken_in_any_case_and_behind_with(string sql, bool isTaken)
    {
        await using var profiler = Create();
        profiler.Enable();
        profiler.Offer(sql, 0);
        Assert.Equal(isTaken ? 1 : 0, profiler.State.Statements);
    }

    [Fact]
    public async Task It_turns_itself_off_15_minutes_after_it_was_last_enabled()
    {
        await using var profiler = Create();
        profiler.Offer("SELECT 0", 0);
        Assert.Null(profiler.State.Until);
        profiler.Enable();
        profiler.Offer("SELECT 1", 0);
        // The plan is made beside the statement; once the profiler is off, it is not made any more.
        Assert.Equal("SELECT 1", (await log.LinesAsync("SQL PLAN", 1))[0]["statement"]);
        time.Advance(TimeSpan.FromMinutes(10));
        profiler.Enable();
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromMinutes(15), profiler.State.Until);
        Assert.Equal(1, profiler.State.Statements);
        time.Advance(ISqlProfiler.TimeMax - TimeSpan.FromTicks(1));
        Assert.NotNull(profiler.State.Until);
        time.Advance(TimeSpan.FromTicks(1));
        Assert.Null(profiler.State.Until);
        Assert.Equal(0, profiler.State.Statements);
        profiler.Offer("SELECT 2", 0);
        Assert.Equal("1", (await log.LinesAsync("SQL PROFILER OFF", 1))[0]["statements"]);
        Assert.Single(await log.LinesAsync("SQL PLAN", 1));
    }

    [Fact]
    public async Task A_thousand_statements_are_explained_one_at_a_time_and_those_beyond_are_counted()
    {
        await using var profiler = Create();
        profiler.Enable();
        for (var i = 0; i < 1_002; i++)
        {
            profiler.Offer($"SELECT {i}", i);
            profiler.Offer("SELECT 0", 0);
        }
        Assert.Equal((1_000, 2L), (profiler.State.Statements, profiler.State.NotExplained));
        var plans = await log.LinesAsync("SQL PLAN", 1_000);
        Assert.Equal(1_000, plans.Select(plan => plan["statement"]).Distinct().Count());
        Assert.All(plans, plan => Assert.Equal(plan["statement"], $"SELECT {plan["plan"]}"));
        Assert.Equal(1, runningMax);
    }

    [Fact]
    public async Task A_plan_that_fails_is_one_warning_and_the_next_is_explained()
    {
        await using var profiler = Create();
        profiler.Enable();
        profiler.Offer("SELECT wrong", -1);
        profiler.Offer("SELECT wrong", -1);
        profiler.Offer("SELECT 7", 7);
        await log.LinesAsync("SQL PLAN", 1);
        var failure = Assert.Single(await log.LinesAsync("SQL PLAN FAILED", 1));
        Assert.Equal(
            ("WARNING", "SELECT wrong", "below zero"), (failure["level"], failure["statement"], failure["reason"]));
        Assert.Equal((2, 1L), (profiler.State.Statements, profiler.State.NotExplained));
    }

    [Fact]
    public async Task Where_the_log_takes_no_plans_none_is_made()
    {
        log.Dispose();
        log = new ProfilerLog("warning");
        await using var profiler = Create();
        profiler.Enable();
        profiler.Offer("SELECT 1", 1);
        Assert.False(profiler.State.IsLogged);
        Assert.Equal(0, profiler.State.Statements);
    }

    [Fact]
    public async Task A_long_plan_is_cut()
    {
        await using var profiler = Create();
        profiler.Enable();
        profiler.Offer("SELECT long", 100_000);
        var plan = (await log.LinesAsync("SQL PLAN", 1))[0]["plan"]!;
        Assert.Equal((65_537, '…'), (plan.Length, plan[^1]));
    }

    private SqlProfiler<int> Create() => new(ExplainAsync, log.Loggers, time);

    private async Task<IReadOnlyList<string>> ExplainAsync(string sql, int number, CancellationToken cancel)
    {
        runningMax = Math.Max(runningMax, Interlocked.Increment(ref running));
        await Task.Yield();
        Interlocked.Decrement(ref running);
        return number >= 0
            ? [number == 100_000 ? new string('x', number) : $"{number}"]
            : throw new InvalidOperationException("below zero");
    }
}
