using System.Diagnostics.Metrics;
using TaskService.Telemetry.Exporters;

namespace TaskService.Tests.Exporters;

public sealed class MeterReaderTests : IDisposable
{
    private readonly Meter meter = new("Test.Of.Reader");

    public void Dispose() => meter.Dispose();

    [Fact]
    public void Lost_measurements_are_counted_in_a_visible_metric()
    {
        using var seen = new MeterReader(["TaskService.Telemetry"]);
        using var meter = new Meter("Lost");
        using var reader = new MeterReader([meter.Name]);
        meter.CreateGauge<double>("x").Record(double.NaN);
        Assert.Equal(1, reader.Dropped);
        Assert.Contains(
            seen.Collect(),
            metric => string.Join('.', metric.Name.Flat) == "taskservice.exporter.meter.drops" && metric.Value == 1);
    }

    [Fact]
    public void Counters_are_summed_between_two_collections()
    {
        var bytes = meter.CreateCounter<long>("io.bytes");
        var open = meter.CreateUpDownCounter<int>("open");
        using var reader = Reader();
        bytes.Add(2);
        bytes.Add(3);
        open.Add(1);
        open.Add(-4);
        Assert.Equal(["Counter io.bytes 5", "Counter open -3"], Collected(reader));
        Assert.Empty(Collected(reader));
        bytes.Add(7);
        Assert.Equal(["Counter io.bytes 7"], Collected(reader));
    }

    [Fact]
    public void Measurements_with_other_tags_are_other_series()
    {
        var counter = meter.CreateCounter<long>("requests");
        using var reader = Reader();
        counter.Add(1);
        counter.Add(2, new("status", 200), new("ok", true));
        counter.Add(3, new("status", 503), new KeyValuePair<string, object?>("ok", null));
        counter.Add(4, new("status", 200), new("ok", true));
        Assert.Equal(
            ["Counter requests 1", "Counter requests status=200 ok=true 6", "Counter requests status=503 3"],
            Collected(reader));
    }

    [Fact]
    public void A_gauge_keeps_its_last_value()
    {
        var gauge = meter.CreateGauge<double>("level");
        using var reader = Reader();
        Assert.Empty(Collected(reader));
        gauge.Record(1.5);
        gauge.Record(-2.5);
        Assert.Equal(["Gauge level -2.5"], Collected(reader));
        Assert.Equal(["Gauge level -2.5"], Collected(reader));
    }

    [Fact]
    public void A_value_that_is_no_longer_observed_is_not_repeated()
    {
        List<Measurement<int>> now = [new(1, new KeyValuePair<string, object?>("disk", "a")), new(2)];
        meter.CreateObservableGauge("free", () => now);
        meter.CreateObservableUpDownCounter("used", () => now.Count);
        using var reader = Reader();
        Assert.Equal(["Gauge free 2", "Gauge free disk=a 1", "Gauge used 2"], Collected(reader));
        now = [new(3)];
        Assert.Equal(["Gauge free 3", "Gauge used 1"], Collected(reader));
    }

    [Fact]
    public void An_observed_counter_is_reported_as_a_delta()
    {
        var total = 100L;
        meter.CreateObservableCounter("gc", () => total);
        using var reader = Reader();
        Assert.Empty(Collected(reader));
        total = 130;
        Assert.Equal(["Counter gc 30"], Collected(reader));
        Assert.Empty(Collected(reader));
        // It began again.
        total = 4;
        Assert.Equal(["Counter gc 4"], Collected(reader));
        meter.CreateObservableCounter("new", () => total);
        Assert.Equal(["Counter new 4"], Collected(reader));
    }

    [Fact]
    public void Every_value_of_a_histogram_is_reported_once_and_seconds_as_milliseconds()
    {
        var seconds = meter.CreateHistogram<double>("duration", "s");
        var bytes = meter.CreateHistogram<int>("size", "By");
        using var reader = Reader();
        seconds.Record(0.25);
        seconds.Record(0.5);
        bytes.Record(3);
        Assert.Equal(["Timer duration 250", "Timer duration 500", "Timer size 3"], Collected(reader));
        Assert.Empty(Collected(reader));
    }

    [Fact]
    public void Numbers_of_every_type_are_read()
    {
        using var reader = Reader();
        meter.CreateCounter<byte>("a").Add(1);
        meter.CreateCounter<short>("b").Add(2);
        meter.CreateCounter<float>("c").Add(0.5f);
        meter.CreateCounter<decimal>("d").Add(0.25m);
        Assert.Equal(["Counter a 1", "Counter b 2", "Counter c 0.5", "Counter d 0.25"], Collected(reader));
    }

    [Theory]
    [InlineData("Test.Of.Reader", true)]
    [InlineData("Test.Of", true)]
    [InlineData("Test.O", false)]
    [InlineData("Test.Of.Reader.Other", false)]
    public void Meters_are_chosen_by_the_words_that_their_name_begins_with(string name, bool isRead)
    {
        using var reader = new MeterReader(["Else", name]);
        meter.CreateCounter<long>("x").Add(1);
        Assert.Equal(isRead, Collected(reader).Count == 1);
    }

    [Fact]
    public void Series_beyond_the_limit_are_counted_as_dropped_and_the_others_go_on()
    {
        var counter = meter.CreateCounter<long>("requests");
        var gauge = meter.CreateGauge<long>("level");
        using var reader = new MeterReader([meter.Name], seriesMax: 3);
        for (var i = 0; i < 10; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("client", i % 5));
        }
        gauge.Record(1);
        Assert.Equal(
            ["Counter requests client=0 2", "Counter requests client=1 2", "Counter requests client=2 2"],
            Collected(reader));
        Assert.Equal(5, reader.Dropped);
    }

    [Fact]
    public void Values_of_histograms_beyond_the_limit_are_counted_as_dropped()
    {
        var histogram = meter.CreateHistogram<long>("size");
        using var reader = Reader();
        for (var i = 0; i < MeterReader.TimersMax + 2; i++)
        {
            histogram.Record(i);
        }
        Assert.Equal(MeterReader.TimersMax, reader.Collect().Count);
        Assert.Equal(2, reader.Dropped);
        histogram.Record(1);
        Assert.Single(reader.Collect());
    }

    [Fact]
    public void Invalid_values_and_failing_instruments_are_counted_as_dropped_and_block_no_others()
    {
        var fails = false;
        meter.CreateObservableGauge("bad", () => fails ? throw new InvalidOperationException("bad") : 1);
        meter.CreateObservableGauge("good", () => 1);
        var gauge = meter.CreateGauge<double>("level");
        using var reader = Reader();
        gauge.Record(double.NaN);
        gauge.Record(double.PositiveInfinity);
        fails = true;
        // The bad one was observed once when the reader began.
        reader.Collect();
        Assert.Equal(["Gauge good 1"], Collected(reader));
        Assert.Equal(4, reader.Dropped);
    }

    [Fact]
    public void Nothing_is_lost_between_threads_while_it_is_collected()
    {
        const int threads = 8;
        const int rounds = 20_000;
        var counter = meter.CreateCounter<long>("requests");
        using var reader = Reader();
        var workers = Enumerable.Range(0, threads).Select(_ => new Thread(() =>
        {
            for (var i = 0; i < rounds; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("part", i % 3));
            }
        })).ToList();
        workers.ForEach(worker => worker.Start());
        var sum = 0.0;
        while (workers.Exists(worker => worker.IsAlive))
        {
            sum += reader.Collect().Sum(metric => metric.Value);
        }
        Assert.Equal(threads * rounds, sum + reader.Collect().Sum(metric => metric.Value));
    }

    private MeterReader Reader() => new([meter.Name]);

    private static List<string> Collected(MeterReader reader) =>
    [
        .. reader.Collect().Select(metric => string.Join(
                ' ',
                [
                    $"{metric.Kind} {string.Join('.', metric.Name.Parts)}",
                    .. metric.Name.Tags.Select(tag => $"{tag.Key}={tag.Value}"),
                    $"{metric.Value}",
                ]))
            .Order(StringComparer.Ordinal),
    ];
}
