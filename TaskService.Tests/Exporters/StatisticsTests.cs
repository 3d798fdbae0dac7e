using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

public sealed class StatisticsTests
{
    private readonly Statistics statistics = new();

    [Fact]
    public void Operations_are_counted_by_name()
    {
        Record("/a", 1, 2, 6);
        Record("/b", 5);
        Record(SomeRecord.Of("request.httpclient", TimeSpan.FromMilliseconds(7)));
        var all = statistics.Snapshot().ToDictionary(one => string.Join('.', one.Name.Flat));
        Assert.Equal(["request.httpclient", "route.GET./a.200", "route.GET./b.200"], all.Keys.Order());
        var a = all["route.GET./a.200"];
        Assert.Equal((3, 3, 1, 6), (a.Count, a.AverageMs, a.MinMs, a.MaxMs));
        var b = all["route.GET./b.200"];
        Assert.Equal((1, 5, 5, 5), (b.Count, b.AverageMs, b.MinMs, b.MaxMs));
        Assert.Equal((5, 5, 5), (b.P50Ms, b.P90Ms, b.P99Ms));
    }

    [Fact]
    public void Queries_of_a_kind_are_counted_together()
    {
        Record(SomeRecord.Of("request.sql", new Field("query", "SELECT a FROM t WHERE id = 1")));
        Record(SomeRecord.Of("sql", new Field("query", "SELECT b FROM t WHERE id = 2")));
        var one = Assert.Single(statistics.Snapshot());
        Assert.Equal(["sql", "SELECT FROM t WHERE id = ?"], one.Name.Flat);
        Assert.Equal(2, one.Count);
    }

    [Fact]
    public void Nothing_is_lost_between_threads()
    {
        const int threads = 8;
        const int rounds = 20_000;
        const int names = 5;
        using var start = new Barrier(threads);
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            start.SignalAndWait();
            for (var i = 0; i < rounds; i++)
            {
                Record(SomeRecord.Request($"/{i % names}", TimeSpan.FromTicks(1 + i)));
            }
        })).ToList();
        workers.ForEach(worker => worker.Start());
        workers.ForEach(worker => worker.Join());
        var all = statistics.Snapshot().OrderBy(one => one.Name.Flat[2], StringComparer.Ordinal).ToList();
        Assert.Equal(Enumerable.Repeat((long)threads * rounds / names, names), all.Select(one => one.Count));
        Assert.Equal(Enumerable.Range(1, names).Select(i => i / 1e4), all.Select(one => one.MinMs));
        Assert.Equal(Enumerable.Range(rounds - names + 1, names).Select(i => i / 1e4), all.Select(one => one.MaxMs));
        var average = (rounds + 1) / 2.0 / TimeSpan.TicksPerMillisecond;
        Assert.Equal(average, all.Average(one => one.AverageMs), 9);
    }

    [Theory]
    [InlineData(1, 7.0)]
    [InlineData(2, 9.0)]
    [InlineData(10, 10.6)]
    [InlineData(99, 4.0)]
    [InlineData(10_000, 10.6)]
    public void Percentiles_are_off_by_a_thirty_second_at_most(int count, double exponentMax)
    {
        // From 1 us, 10 ticks, evenly over all powers.
        var random = new Random(count);
        var ticks = Enumerable.Range(0, count)
            .Select(_ => (long)Math.Pow(10, 1 + random.NextDouble() * (exponentMax - 1)))
            .Order().ToList();
        ticks.ForEach(duration => Record(SomeRecord.Request("/", TimeSpan.FromTicks(duration))));
        var one = Assert.Single(statistics.Snapshot());
        AssertNear(0.5, one.P50Ms);
        AssertNear(0.9, one.P90Ms);
        AssertNear(0.99, one.P99Ms);

        void AssertNear(double part, double ms)
        {
            var exact = ticks[(int)Math.Ceiling(part * count) - 1] / (double)TimeSpan.TicksPerMillisecond;
            Assert.InRange(ms, exact * (1 - 1 / 32.0), exact * (1 + 1 / 32.0));
        }
    }

    [Fact]
    public void Every_power_and_every_step_of_it_keeps_the_bound()
    {
        for (var power = 0; power < 36; power++)
        {
            for (var step = 0; step < 16; step++)
            {
                var ticks = (1L << power) + ((long)step << power >> 4);
                statistics.Take();
                // The lone slowest is the upper limit that the middle of a bucket is cut at.
                Record("/", ticks / 1e4, ticks / 1e4, ticks / 1e4, TimeSpan.TicksPerDay / 1e4);
                var exact = ticks / 1e4;
                var p50 = Assert.Single(statistics.Snapshot()).P50Ms;
                Assert.InRange(p50, exact, exact * (1 + 1 / 32.0));
            }
        }
    }

    [Fact]
    public void A_duration_out_of_range_is_counted_at_its_end()
    {
        Record("/", -1, 0, TimeSpan.FromDays(1).TotalMilliseconds);
        var one = Assert.Single(statistics.Snapshot());
        Assert.Equal((3, 0, 86_400_000, 0), (one.Count, one.MinMs, one.MaxMs, one.P50Ms));
        Assert.InRange(one.P99Ms, TimeSpan.FromHours(1).TotalMilliseconds, TimeSpan.FromHours(2).TotalMilliseconds);
    }

    [Fact]
    public void Names_beyond_the_limit_are_counted_together_and_the_others_go_on()
    {
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < Statistics.NamesMax + 5; i++)
            {
                Record($"/{i}", 1);
            }
        }
        var all = statistics.Snapshot();
        Assert.Equal(Statistics.NamesMax + 1, all.Count);
        var other = Assert.Single(all, one => one.Name.Flat is [Statistics.OtherName]);
        Assert.Equal(10, other.Count);
        Assert.All(all.Where(one => one != other), one => Assert.Equal(2, one.Count));
    }

    [Fact]
    public void Nothing_is_left_after_a_reset()
    {
        for (var i = 0; i <= Statistics.NamesMax; i++)
        {
            Record($"/{i}", 1);
        }
        statistics.Take();
        Assert.Empty(statistics.Snapshot());
        Record("/new", 1);
        Assert.Equal(["route", "GET", "/new", "200"], Assert.Single(statistics.Snapshot()).Name.Flat);
    }

    [Fact]
    public async Task No_operation_is_lost_while_others_are_taken()
    {
        // More names than are kept, so that those that are counted together are taken as well.
        var records = Enumerable.Range(0, Statistics.NamesMax + 100)
            .Select(i => SomeRecord.Request($"/{i}", TimeSpan.FromTicks(i))).ToList();
        var working = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 50_000; i++)
            {
                Record(records[i % records.Count]);
            }
        })));
        var taken = 0L;
        do
        {
            taken += statistics.Take().Sum(one => one.Count);
        }
        while (!working.IsCompleted);
        await working;
        Assert.Equal(200_000, taken + statistics.Take().Sum(one => one.Count));
        Assert.Empty(statistics.Snapshot());
    }

    [Theory]
    [InlineData("request")]
    [InlineData("request.sql")]
    public void A_known_name_allocates_nothing(string type)
    {
        var record = SomeRecord.Of(
            type,
            new Field("method", "GET"),
            new("route", "/"),
            new("status", 200),
            new("query", "SELECT a FROM t WHERE b = 3"));
        Field[] fields = [.. record.Fields];
        statistics.Record(record.Type, fields, record.Duration);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10_000; i++)
        {
            statistics.Record(record.Type, fields, record.Duration);
        }
        // The runtime allocates a little of its own: less than a byte a record is none.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 9_999);
    }

    private void Record(OperationRecord record) =>
        statistics.Record(record.Type, [.. record.Fields], record.Duration);

    private void Record(string route, params double[] milliseconds)
    {
        foreach (var one in milliseconds)
        {
            Record(SomeRecord.Request(route, TimeSpan.FromTicks((long)Math.Round(one * 1e4))));
        }
    }
}
