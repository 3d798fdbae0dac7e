using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using TaskService.Telemetry.Exporters;
using TaskService.Telemetry.Exporters.Statsd;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

public sealed class StatsdTests : IDisposable
{
    private readonly CancellationTokenSource limit = new(Until.Limit);
    private readonly UdpClient receiver = new(new IPEndPoint(IPAddress.Loopback, 0));

    private CancellationToken Limit => limit.Token;

    public void Dispose()
    {
        receiver.Dispose();
        limit.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("localhost")]
    public async Task Records_arrive_in_one_packet_as_timers_of_at_least_a_millisecond(string host)
    {
        Assert.SkipWhen(host == "::1" && !Socket.OSSupportsIPv6, "no IPv6");
        using var own = new UdpClient(new IPEndPoint(host == "::1" ? IPAddress.IPv6Loopback : IPAddress.Loopback, 0));
        using var exporter = new StatsdExporter(new StatsdSettings(host, PortOf(own), "todo."));
        OperationRecord[] batch =
        [
            SomeRecord.Request("/tasks/{id}"),
            SomeRecord.Of("request.httpclient", TimeSpan.FromMilliseconds(2.5)),
            SomeRecord.Of("request.sql", TimeSpan.Zero, new Field("query", "SELECT a FROM t.u LIMIT 3")),
        ];
        await exporter.SendAsync(batch, Limit);
        var packet = await own.ReceiveAsync(Limit);
        Assert.Equal(
            "todo.route.GET./tasks/{id}.200:12|ms\ntodo.request.httpclient:3|ms\ntodo.sql.SELECT FROM t_u LIMIT ?:1|ms",
            Encoding.UTF8.GetString(packet.Buffer));
    }

    [Fact]
    public async Task Tags_follow_the_short_name_for_Datadog()
    {
        using var exporter = Exporter(tags: StatsdTagFormat.Datadog);
        OperationRecord[] batch =
        [
            SomeRecord.Request("/tasks/{id}"),
            SomeRecord.Request("a,b|c\n" + new string('é', 300)),
            SomeRecord.Of("other"),
        ];
        await exporter.SendAsync(batch, Limit);
        var second = "a_b_c_" + new string('é', 194);
        Assert.Equal(
            "route:12|ms|#method:GET,route:/tasks/{id},status:200\n"
            + $"route:12|ms|#method:GET,route:{second},status:200\nother:12|ms",
            await ReceiveAsync());
    }

    [Theory]
    [InlineData("a:b|c\n\u0085d e/ü", "a_b_c__d e/ü")]
    [InlineData("{450}", "{450}")]
    [InlineData("{451}", "{450}")]
    [InlineData("{449}😀", "{449}")]
    [InlineData("{448}😀x", "{448}😀")]
    public async Task Names_hold_nothing_that_ends_them_and_are_cut_between_characters(string type, string name)
    {
        using var exporter = Exporter();
        await exporter.SendAsync([SomeRecord.Of(Long(type))], Limit);
        Assert.Equal($"{Long(name)}:12|ms", await ReceiveAsync());

        static string Long(string text) =>
            text.StartsWith('{') ? new string('ü', int.Parse(text[1..4])) + text[5..] : text;
    }

    [Fact]
    public async Task Packets_are_filled_to_their_limit_and_split_between_lines_only()
    {
        // "x.00:12|ms" has 10 bytes: three with two newlines have 32.
        using var exporter = Exporter(packetBytesMax: 32);
        var names = Enumerable.Range(10, 7).Select(i => $"x.{i}").ToList();
        await exporter.SendAsync([.. names.Select(name => SomeRecord.Of(name))], Limit);
        Assert.Equal("x.10:12|ms\nx.11:12|ms\nx.12:12|ms", await ReceiveAsync());
        Assert.Equal("x.13:12|ms\nx.14:12|ms\nx.15:12|ms", await ReceiveAsync());
        Assert.Equal("x.16:12|ms", await ReceiveAsync());
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_sent_alone()
    {
        using var exporter = Exporter(packetBytesMax: 31);
        var tooLong = new string('x', 40);
        string[] names = ["x.10", tooLong, "x.12", "x.13", "x.14"];
        await exporter.SendAsync([.. names.Select(name => SomeRecord.Of(name))], Limit);
        Assert.Equal("x.10:12|ms", await ReceiveAsync());
        Assert.Equal($"{tooLong}:12|ms", await ReceiveAsync());
        Assert.Equal("x.12:12|ms\nx.13:12|ms", await ReceiveAsync());
        Assert.Equal("x.14:12|ms", await ReceiveAsync());
    }

    [Fact]
    public async Task Measurements_of_meters_arrive_as_counters_gauges_and_timers()
    {
        using var meter = new Meter("Test.Statsd");
        var bytes = meter.CreateCounter<long>("io.bytes");
        var level = meter.CreateGauge<double>("level");
        var duration = meter.CreateHistogram<double>("duration", "s");
        using var exporter = Exporter(meters: new MeterReader([meter.Name]));
        bytes.Add(30_000_000_000, new("disk", "a.b"), new("ok", true));
        level.Record(1234.5);
        duration.Record(0.0125);
        await exporter.SendMetersAsync(Limit);
        Assert.Equal("duration:12.5|ms\nio.bytes.a_b.true:30000000000|c\nlevel:1234.5|g", await ReceiveAsync());
        level.Record(-0.25);
        await exporter.SendMetersAsync(Limit);
        Assert.Equal("level:0|g\nlevel:-0.25|g", await ReceiveAsync());
        level.Record(-0.0);
        await exporter.SendMetersAsync(Limit);
        Assert.Equal("level:0|g", await ReceiveAsync());
    }

    [Fact]
    public async Task Meters_without_measurements_send_nothing()
    {
        using var silent = Exporter();
        await silent.SendMetersAsync(Limit);
        using var exporter = Exporter(meters: new MeterReader(["Test.Statsd.None"]));
        await exporter.SendMetersAsync(Limit);
        await exporter.SendAsync([SomeRecord.Of("first")], Limit);
        Assert.Equal("first:12|ms", await ReceiveAsync());
    }

    [Fact]
    public async Task The_lines_of_a_negative_gauge_stay_together()
    {
        using var meter = new Meter("Test.Statsd.Negative");
        var level = meter.CreateGauge<int>("level");
        using var exporter = Exporter(meters: new MeterReader([meter.Name]), packetBytesMax: 40);
        level.Record(-1, new KeyValuePair<string, object?>("n", "a"));
        level.Record(-2, new KeyValuePair<string, object?>("n", "b"));
        await exporter.SendMetersAsync(Limit);
        Assert.Equal("level.a:0|g\nlevel.a:-1|g", await ReceiveAsync());
        Assert.Equal("level.b:0|g\nlevel.b:-2|g", await ReceiveAsync());
    }

    [Fact]
    public async Task A_receiver_that_restarts_gets_later_packets()
    {
        var port = PortOf(receiver);
        using var exporter = Exporter();
        receiver.Dispose();
        for (var i = 0; i < 5; i++)
        {
            await exporter.SendAsync([SomeRecord.Of("lost")], Limit);
        }
        using var again = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        await exporter.SendAsync([SomeRecord.Of("back")], Limit);
        Assert.Equal("back:12|ms", Encoding.UTF8.GetString((await again.ReceiveAsync(Limit)).Buffer));
    }

    [Fact]
    public async Task A_retry_continues_a_batch_where_it_failed_without_duplicates()
    {
        Assert.SkipWhen(!Socket.OSSupportsIPv6, "no IPv6");
        using var own = new Socket(SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
        own.Bind(new IPEndPoint(IPAddress.IPv6Any, 0));
        // A packet of more than 65,507 bytes fits into IPv6 only.
        var addresses = new Queue<IPAddress>([IPAddress.Loopback, IPAddress.IPv6Loopback]);
        using var exporter = new StatsdExporter(
            new StatsdSettings("agent", ((IPEndPoint)own.LocalEndPoint!).Port, PacketBytesMax: 65_520),
            null,
            TimeProvider.System,
            (_, _) => Task.FromResult<IPAddress[]>([addresses.Dequeue()]));
        // 182 lines of 358 have 65,337 with their newlines, one of 306 and 3,623 of 17 have 65,520.
        OperationRecord[] batch =
        [
            .. Enumerable.Range(0, 182).Select(_ => SomeRecord.Of(new string('a', 352))),
            SomeRecord.Of(new string('b', 300)),
            .. Enumerable.Range(0, 3_623).Select(_ => SomeRecord.Of(new string('c', 11))),
            SomeRecord.Of("last"),
        ];
        await Assert.ThrowsAsync<SocketException>(async () => await exporter.SendAsync(batch, Limit));
        await exporter.SendAsync(batch, Limit);
        await exporter.SendAsync([SomeRecord.Of("next")], Limit);
        var packets = new List<string>();
        var buffer = new byte[65_535];
        while (packets is not [.., "next:12|ms"])
        {
            packets.Add(Encoding.UTF8.GetString(buffer, 0, await own.ReceiveAsync(buffer, Limit)));
        }
        Assert.Equal([65_337, 65_520, 10, 10], packets.Select(packet => packet.Length));
    }

    [Fact]
    public async Task Measurements_lost_by_UDP_are_not_reported_and_later_ones_arrive()
    {
        using var meter = new Meter("Test.Statsd.Dead");
        var counter = meter.CreateCounter<int>("n");
        using var reader = new MeterReader([meter.Name]);
        var port = PortOf(receiver);
        using var exporter = Exporter(meters: reader);
        receiver.Dispose();
        for (var i = 0; i < 5; i++)
        {
            counter.Add(1);
            await exporter.SendMetersAsync(Limit);
        }
        using var again = new UdpClient(new IPEndPoint(IPAddress.Loopback, port));
        counter.Add(7);
        await exporter.SendMetersAsync(Limit);
        Assert.Equal("n:7|c", Encoding.UTF8.GetString((await again.ReceiveAsync(Limit)).Buffer));
        Assert.Equal(0, reader.Dropped);
    }

    [Fact]
    public async Task Measurements_that_the_machine_cannot_send_are_counted()
    {
        using var meter = new Meter("Test.Statsd.Refused");
        var counter = meter.CreateCounter<int>("n");
        var histogram = meter.CreateHistogram<int>("h");
        using var reader = new MeterReader([meter.Name]);
        // Where nobody may send to without asking for it.
        using var exporter = new StatsdExporter(new StatsdSettings($"{IPAddress.Broadcast}", PortOf(receiver)), reader);
        counter.Add(1);
        histogram.Record(1);
        histogram.Record(2);
        await Assert.ThrowsAsync<SocketException>(async () => await exporter.SendMetersAsync(Limit));
        Assert.Equal(3, reader.Dropped);
    }

    [Fact]
    public async Task A_name_that_is_not_resolved_fails_when_it_is_needed_and_no_measurement_is_lost()
    {
        using var meter = new Meter("Test.Statsd.Unresolved");
        var counter = meter.CreateCounter<int>("count");
        using var reader = new MeterReader([meter.Name]);
        using var exporter = new StatsdExporter(new StatsdSettings("nowhere.invalid"), reader);
        counter.Add(3);
        var error = await Assert.ThrowsAsync<IOException>(async () => await exporter.SendMetersAsync(Limit));
        Assert.Contains("nowhere.invalid", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(async () => await exporter.SendAsync([SomeRecord.Of("x")], Limit));
        Assert.Equal(3, Assert.Single(reader.Collect()).Value);
    }

    [Fact]
    public async Task A_name_is_resolved_again_after_a_minute_and_after_an_error()
    {
        var time = new FakeTimeProvider();
        var asked = 0;
        // Where nobody may send to without asking for it.
        var address = IPAddress.Broadcast;
        using var exporter = new StatsdExporter(
            new StatsdSettings("agent", PortOf(receiver)),
            null,
            time,
            (_, _) => Task.FromResult<IPAddress[]>(asked++ < 3 ? [IPAddress.IPv6Loopback, address] : []));
        await Assert.ThrowsAsync<SocketException>(SendAsync);
        address = IPAddress.Loopback;
        await SendAsync();
        Assert.Equal("x:12|ms", await ReceiveAsync());
        time.Advance(TimeSpan.FromSeconds(59));
        await SendAsync();
        Assert.Equal(2, asked);
        time.Advance(TimeSpan.FromSeconds(1));
        await SendAsync();
        Assert.Equal(3, asked);
        time.Advance(TimeSpan.FromSeconds(60));
        await Assert.ThrowsAsync<IOException>(SendAsync);
        // It does not go on with the old address either.
        await Assert.ThrowsAsync<IOException>(SendAsync);
        Assert.Equal(5, asked);

        async Task SendAsync() => await exporter.SendAsync([SomeRecord.Of("x")], Limit);
    }

    [Fact]
    public async Task Records_and_meters_can_be_sent_at_the_same_time()
    {
        using var meter = new Meter("Test.Statsd.Parallel");
        var counter = meter.CreateCounter<int>("n");
        using var exporter = Exporter(meters: new MeterReader([meter.Name]));
        counter.Add(1);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(async () =>
        {
            counter.Add(1);
            await exporter.SendAsync([SomeRecord.Of("x"), SomeRecord.Of("x")], Limit);
            await exporter.SendMetersAsync(Limit);
        })));
        var (records, sum) = (0, 0);
        while (records < 40 || sum < 41)
        {
            var packet = await ReceiveAsync();
            if (packet == "x:12|ms\nx:12|ms")
            {
                records++;
            }
            else
            {
                Assert.Matches("^n:[0-9]+\\|c$", packet);
                sum += int.Parse(packet[2..^2]);
            }
        }
        Assert.Equal((40, 41), (records, sum));
    }

    [Theory]
    [InlineData("agent", "agent", 8125)]
    [InlineData("agent:9125", "agent", 9125)]
    [InlineData("my_agent.example.org:1", "my_agent.example.org", 1)]
    [InlineData("10.0.0.1:65535", "10.0.0.1", 65535)]
    [InlineData("10.0.0.1", "10.0.0.1", 8125)]
    [InlineData("[::1]:9125", "::1", 9125)]
    [InlineData("[::1]", "::1", 8125)]
    [InlineData("::1", "::1", 8125)]
    [InlineData("fe80::1:9125", "fe80::1:9125", 8125)]
    public void An_address_is_a_host_and_perhaps_a_port(string address, string host, int port)
    {
        Assert.True(StatsdSettings.TryParse(address, out var readHost, out var readPort, out var error), error);
        Assert.Equal((host, port), (readHost, readPort));
    }

    [Theory]
    [InlineData("", "neither a host name nor an address")]
    [InlineData(" ", "neither a host name nor an address")]
    [InlineData(":8125", "neither a host name nor an address")]
    [InlineData("a b:8125", "neither a host name nor an address")]
    [InlineData("udp://agent:8125", "neither a host name nor an address")]
    [InlineData("[::1", "neither a host name nor an address")]
    [InlineData("[agent]:8125", "neither a host name nor an address")]
    [InlineData("[::1]8125", "neither a host name nor an address")]
    [InlineData("1::2::3", "neither a host name nor an address")]
    [InlineData("agent:", "the port must be a number from 1 to 65535")]
    [InlineData("agent:0", "the port must be a number from 1 to 65535")]
    [InlineData("agent:65536", "the port must be a number from 1 to 65535")]
    [InlineData("agent:+1", "the port must be a number from 1 to 65535")]
    [InlineData("[::1]:http", "the port must be a number from 1 to 65535")]
    public void An_address_that_is_none_is_refused_with_a_reason(string address, string reason)
    {
        Assert.False(StatsdSettings.TryParse(address, out _, out _, out var error));
        Assert.StartsWith($"\"{address}\": ", error, StringComparison.Ordinal);
        Assert.EndsWith(reason, error, StringComparison.Ordinal);
    }

    private static int PortOf(UdpClient client) => ((IPEndPoint)client.Client.LocalEndPoint!).Port;

    private StatsdExporter Exporter(
        StatsdTagFormat tags = StatsdTagFormat.None, MeterReader? meters = null, int packetBytesMax = 1432) =>
        new(new StatsdSettings("127.0.0.1", PortOf(receiver), "", tags, packetBytesMax), meters);

    private async Task<string> ReceiveAsync() => Encoding.UTF8.GetString((await receiver.ReceiveAsync(Limit)).Buffer);
}
