using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using TaskService.Telemetry.Exporters.Prometheus;

namespace TaskService.Tests.Exporters;

public sealed class PrometheusMetersTests : IDisposable
{
    private readonly Meter meter = new("Test.Of.Prometheus");
    private readonly PrometheusMeters meters = new(["Test.Of.Prometheus"], "a \"b\"");

    public void Dispose()
    {
        meters.Dispose();
        meter.Dispose();
    }

    [Fact]
    public void Each_kind_of_instrument_is_written_in_the_format_of_prometheus()
    {
        Measure();
        Assert.Equal(
            """
            # HELP target_info Target metadata
            # TYPE target_info gauge
            target_info{service_name="a \"b\""} 1
            # HELP io_bytes_total Bytes \\ "read"\nor written.
            # TYPE io_bytes_total counter
            io_bytes_total{otel_scope_name="Test.Of.Prometheus"} 2
            io_bytes_total{otel_scope_name="Test.Of.Prometheus",direction="in",ok="true"} 7
            # HELP level_ratio level
            # TYPE level_ratio gauge
            level_ratio{otel_scope_name="Test.Of.Prometheus"} -0.25
            # HELP open_count_current Open ones.
            # TYPE open_count_current gauge
            open_count_current{otel_scope_name="Test.Of.Prometheus"} -3
            # HELP wait_duration_seconds Waiting.
            # TYPE wait_duration_seconds histogram
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="0.5"} 1
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="1"} 3
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="+Inf"} 4
            wait_duration_seconds_sum{otel_scope_name="Test.Of.Prometheus"} 6.25
            wait_duration_seconds_count{otel_scope_name="Test.Of.Prometheus"} 4

            """,
            Scrape());
    }

    [Fact]
    public void Open_metrics_has_units_names_without_suffix_and_an_end()
    {
        Measure();
        Assert.Equal(
            """
            # HELP target Target metadata
            # TYPE target info
            target_info{service_name="a \"b\""} 1
            # HELP io_bytes Bytes \\ \"read\"\nor written.
            # TYPE io_bytes counter
            # UNIT io_bytes bytes
            io_bytes_total{otel_scope_name="Test.Of.Prometheus"} 2
            io_bytes_total{otel_scope_name="Test.Of.Prometheus",direction="in",ok="true"} 7
            # HELP level_ratio level
            # TYPE level_ratio gauge
            # UNIT level_ratio ratio
            level_ratio{otel_scope_name="Test.Of.Prometheus"} -0.25
            # HELP open_count_current Open ones.
            # TYPE open_count_current gauge
            open_count_current{otel_scope_name="Test.Of.Prometheus"} -3
            # HELP wait_duration_seconds Waiting.
            # TYPE wait_duration_seconds histogram
            # UNIT wait_duration_seconds seconds
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="0.5"} 1
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="1.0"} 3
            wait_duration_seconds_bucket{otel_scope_name="Test.Of.Prometheus",le="+Inf"} 4
            wait_duration_seconds_sum{otel_scope_name="Test.Of.Prometheus"} 6.25
            wait_duration_seconds_count{otel_scope_name="Test.Of.Prometheus"} 4
            # EOF

            """,
            Scrape(isOpenMetrics: true));
    }

    [Fact]
    public void Without_advice_a_histogram_has_the_buckets_of_open_telemetry()
    {
        meter.CreateHistogram<int>("size").Record(10_001);
        Assert.Equal(
            "0 5 10 25 50 75 100 250 500 750 1000 2500 5000 7500 10000 +Inf".Split(' '),
            Samples("size_bucket").Select(line => line.Split("le=\"")[1].Split('"')[0]));
        Assert.EndsWith("le=\"10000\"} 0", Samples("size_bucket")[^2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.b", null, "a_b")]
    [InlineData("tasks.made", "{task}", "tasks_made")]
    [InlineData("a--b..c", "1", "a_b_c_ratio")]
    [InlineData("9/lives", "By", "_9_lives_bytes")]
    [InlineData("size.bytes", "By", "size_bytes")]
    [InlineData("speed", "m/s", "speed_meters_per_second")]
    [InlineData("rate", "{request}/s", "rate_per_second")]
    [InlineData("heat", "Cel", "heat_celsius")]
    [InlineData("load", "%", "load_percent")]
    [InlineData("x", "parsecs", "x_parsecs")]
    [InlineData("x.total", "s", "x_seconds")]
    [InlineData("x.sum", null, "x_sum_current")]
    [InlineData("__name__", null, "_name_")]
    public void Names_and_units_follow_open_telemetry(string name, string? unit, string expected)
    {
        meter.CreateGauge<long>(name, unit).Record(1);
        Assert.Equal($"{expected}{{otel_scope_name=\"Test.Of.Prometheus\"}} 1", Assert.Single(Samples(expected)));
    }

    [Fact]
    public void Labels_are_escaped_and_never_twice()
    {
        var advice = new InstrumentAdvice<int> { HistogramBucketBoundaries = [] };
        meter.CreateHistogram("x", null, null, null, advice).Record(
            1, new("a.b", "\\ \" \n é"), new("a_b", 2), new("le", 3), new("otel_scope_name", 4), new("n", null));
        Assert.Equal(
            @"x_count{otel_scope_name=""Test.Of.Prometheus"",a_b=""\\ \"" \n é;2"",exported_le=""3""," +
            @"exported_otel_scope_name=""4""} 1",
            Assert.Single(Samples("x_count")));
    }

    [Fact]
    public void Tags_in_another_order_and_meters_of_the_same_name_are_the_same_series()
    {
        using var other = new Meter(meter.Name);
        meter.CreateCounter<int>("x").Add(1, new("a", 1), new("b", 2));
        other.CreateCounter<long>("x").Add(2, new("b", 2L), new("a", "1"));
        meter.CreateObservableCounter("seen", () => 3);
        other.CreateObservableCounter("seen", () => 4);
        Assert.EndsWith("a=\"1\",b=\"2\"} 3", Assert.Single(Samples("x_total")), StringComparison.Ordinal);
        Assert.EndsWith("} 7", Assert.Single(Samples("seen_total")), StringComparison.Ordinal);
        Assert.EndsWith("} 7", Assert.Single(Samples("seen_total")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_is_no_longer_observed_is_not_repeated()
    {
        List<Measurement<int>> now = [new(1, new KeyValuePair<string, object?>("disk", "a"))];
        meter.CreateObservableGauge("free", () => now);
        Assert.Single(Samples("free"));
        now = [];
        Assert.DoesNotContain("free", Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_kept_is_dropped_and_counted()
    {
        meter.CreateCounter<int>("x").Add(1);
        meter.CreateGauge<int>("x").Record(1);
        meter.CreateGauge<double>("y").Record(double.NaN);
        Assert.Equal(2, meters.Dropped);
        Func<int> fails = () => throw new InvalidOperationException();
        meter.CreateObservableGauge("fails", fails);
        Assert.Single(Samples("x_total"));
        Assert.Equal(3, meters.Dropped);
        var many = meter.CreateCounter<int>("many");
        for (var i = 0; i < PrometheusMeters.SeriesMax; i++)
        {
            many.Add(1, new KeyValuePair<string, object?>("i", i));
        }
        Assert.Equal(4, meters.Dropped);
        Assert.Equal(PrometheusMeters.SeriesMax - 1, Samples("many_total").Count);
        using var all = new PrometheusMeters(["TaskService.Telemetry"], "x");
        Assert.Contains(
            "taskservice_exporter_meter_drops_total{otel_scope_name=\"TaskService.Telemetry\"} ",
            Encoding.UTF8.GetString(all.Scrape(false)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Meters_of_the_framework_are_listened_to_from_the_first_scrape_on()
    {
        using var framework = new Meter("Microsoft.Of.Test");
        using var reader = new PrometheusMeters([framework.Name], "x");
        var counter = framework.CreateCounter<int>("x");
        Assert.False(counter.Enabled);
        reader.Scrape(false);
        Assert.True(counter.Enabled);
        Assert.True(framework.CreateCounter<int>("y").Enabled);
        counter.Add(1);
        Assert.Contains("x_total{", Encoding.UTF8.GetString(reader.Scrape(false)), StringComparison.Ordinal);
        Assert.Empty(reader.Read(isTaken: false));
    }

    [Fact]
    public void What_is_taken_is_exactly_what_is_returned()
    {
        Measure();
        meter.CreateObservableCounter("observed", () => 5);
        string[] all = ["io 2", "io/true/in 7", "level -0.25", "open/count -3", "observed 5"];
        Assert.Equal(all.Order(), Read(isTaken: false));
        Assert.Equal(all.Order(), Read(isTaken: true));
        // The sum of what is open is not counted from anew.
        Assert.Equal(["open/count -3"], Read(isTaken: false));
        Assert.EndsWith("} 2", Samples("io_bytes_total")[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_measurement_is_lost_while_others_are_taken()
    {
        var counter = meter.CreateCounter<int>("n");
        var working = Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() =>
        {
            for (var n = 0; n < 100_000; n++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("thread", i));
            }
        })));
        var taken = 0.0;
        do
        {
            taken += meters.Read(isTaken: true).Sum(one => one.Value);
        }
        while (!working.IsCompleted);
        await working;
        Assert.Equal(400_000, taken + meters.Read(isTaken: true).Sum(one => one.Value));
        Assert.Equal(4, Samples("n_total").Count(line => line.EndsWith("} 100000", StringComparison.Ordinal)));
    }

    private void Measure()
    {
        var bytes = meter.CreateCounter<long>("io", "By", "Bytes \\ \"read\"\nor written.");
        bytes.Add(2);
        bytes.Add(3, new("ok", true), new("direction", "in"));
        bytes.Add(4, new("ok", true), new("direction", "in"));
        meter.CreateGauge<double>("level", "1").Record(-0.25);
        var open = meter.CreateUpDownCounter<int>("open.count", "{file}", "Open ones.");
        open.Add(1);
        open.Add(-4);
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] };
        var wait = meter.CreateHistogram("wait.duration", "s", "Waiting.", null, advice);
        foreach (var seconds in (double[])[0.5, 0.75, 1, 4])
        {
            wait.Record(seconds);
        }
    }

    private string Scrape(bool isOpenMetrics = false) => Encoding.UTF8.GetString(meters.Scrape(isOpenMetrics));

    private List<string> Samples(string name) =>
        [.. Scrape().Split('\n').Where(line => line.StartsWith($"{name}{{", StringComparison.Ordinal))];

    private IEnumerable<string> Read(bool isTaken) => meters.Read(isTaken)
        .Select(one => string.Create(CultureInfo.InvariantCulture, $"{string.Join('/', one.Name.Flat)} {one.Value}"))
        .Order();
}
