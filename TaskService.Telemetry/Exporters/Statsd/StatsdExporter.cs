using System.Net;
using System.Net.Sockets;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters.Statsd;

/// <summary>
/// Sends timers of operations, and measurements of meters, to statsd by UDP, without acknowledgement. Its methods may
/// be called at the same time. See https://github.com/statsd/statsd/blob/master/docs/metric_types.md.
/// </summary>
public sealed class StatsdExporter : IExporter, IMeterExporter, IDisposable
{
    private static readonly TimeSpan ResolvedTimeMax = TimeSpan.FromSeconds(60);

    private readonly StatsdSettings settings;
    private readonly MeterReader? meters;
    private readonly TimeProvider time;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly StatsdPackets packets;

    // One object per name, so that its bytes are encoded once. Guarded by the gate.
    private readonly Dictionary<OperationKey, MetricName> names = [];
    private readonly SemaphoreSlim gate = new(1, 1);
    private IPEndPoint? target;
    private long resolvedAt;
    private Socket? socket;

    // A batch that failed in the middle, and how many of its packets were sent.
    private IReadOnlyList<OperationRecord>? begun;
    private int packetsSent;

    /// <summary>Nothing is resolved or opened yet.</summary>
    /// <param name="settings">Address and format.</param>
    /// <param name="meters">The source of <see cref="SendMetersAsync"/>; disposed of with this.</param>
    public StatsdExporter(StatsdSettings settings, MeterReader? meters = null)
        : this(settings, meters, TimeProvider.System, Dns.GetHostAddressesAsync)
    {
    }

    internal StatsdExporter(
        StatsdSettings settings,
        MeterReader? meters,
        TimeProvider time,
        Func<string, CancellationToken, Task<IPAddress[]>> resolve)
    {
        (this.settings, this.meters, this.time, this.resolve) = (settings, meters, time, resolve);
        packets = new StatsdPackets(settings);
    }

    /// <summary>Sends a timer of whole milliseconds for each record, of one at least.</summary>
    /// <exception cref="IOException">The name of the host is not resolved.</exception>
    /// <exception cref="SocketException">The machine cannot send.</exception>
    public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel) =>
        InTurnAsync(
            async to =>
            {
                Fill(batch.Select(TimerOf));
                // A retry skips the packets that were sent: a batch always makes the same packets.
                (begun, packetsSent) = (batch, batch == begun ? packetsSent : 0);
                for (; packetsSent < packets.Count; packetsSent++)
                {
                    await to.SendAsync(packets[packetsSent], cancel);
                }
                begun = null;
            },
            cancel);

    /// <summary>Sends metrics of a program that keeps none, once.</summary>
    /// <inheritdoc cref="SendAsync(IReadOnlyList{OperationRecord}, CancellationToken)" path="/exception"/>
    public ValueTask SendAsync(IReadOnlyList<Metric> metrics, CancellationToken cancel) =>
        InTurnAsync(
            async to =>
            {
                Fill(metrics);
                for (var i = 0; i < packets.Count; i++)
                {
                    await to.SendAsync(packets[i], cancel);
                }
            },
            cancel);

    public TimeSpan MetersInterval => settings.MetersInterval;

    /// <summary>Sends the measurements of the meters since the last time.</summary>
    /// <exception cref="IOException">
    /// The name of the host is not resolved; the measurements are kept for the next time.
    /// </exception>
    /// <exception cref="SocketException">
    /// The machine cannot send; the measurements that were not sent yet are dropped, and counted.
    /// </exception>
    public ValueTask SendMetersAsync(CancellationToken cancel) => meters is null
        ? ValueTask.CompletedTask
        : InTurnAsync(
            async to =>
            {
                var metrics = meters.Collect();
                Fill(metrics);
                var metricsSent = 0;
                try
                {
                    for (var i = 0; i < packets.Count; i++)
                    {
                        await to.SendAsync(packets[i], cancel);
                        metricsSent += packets.MetricsIn(i);
                    }
                }
                finally
                {
                    meters.CountLost(metrics.Count - metricsSent);
                }
            },
            cancel);

    public void Dispose()
    {
        meters?.Dispose();
        socket?.Dispose();
        gate.Dispose();
    }

    private Metric TimerOf(OperationRecord record) => new(
        NameOf(record.Key),
        MetricKind.Timer,
        Math.Max(1, Math.Round(record.Duration.TotalMilliseconds, MidpointRounding.AwayFromZero)));

    private MetricName NameOf(OperationKey key)
    {
        if (!names.TryGetValue(key, out var name))
        {
            if (names.Count >= StatsdPackets.NamesMax)
            {
                names.Clear();
            }
            names.Add(key, name = key.ToName());
        }
        return name;
    }

    private void Fill(IEnumerable<Metric> metrics)
    {
        packets.Clear();
        foreach (var metric in metrics)
        {
            packets.Add(metric);
        }
    }

    private async ValueTask InTurnAsync(Func<Receiver, Task> send, CancellationToken cancel)
    {
        await gate.WaitAsync(cancel);
        try
        {
            // Resolve first, so that no measurements are taken out of the meters that cannot be sent.
            await send(await ResolveAsync(cancel));
        }
        catch (SocketException)
        {
            target = null;
            throw;
        }
        finally
        {
            gate.Release();
        }
    }

    private async ValueTask<Receiver> ResolveAsync(CancellationToken cancel)
    {
        if (target is null || socket is null || time.GetElapsedTime(resolvedAt) >= ResolvedTimeMax)
        {
            target = null;
            // IPv4 first: most receivers have no other, and UDP does not report that the receiver is missing.
            var address = (await FindAsync(cancel)).MinBy(found => found.AddressFamily != AddressFamily.InterNetwork)
                ?? throw new IOException($"statsd: {settings.Host} has no address");
            if (socket?.AddressFamily != address.AddressFamily)
            {
                socket?.Dispose();
                socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            }
            target = new IPEndPoint(address, settings.Port);
            resolvedAt = time.GetTimestamp();
        }
        return new Receiver(socket, target);
    }

    private async Task<IPAddress[]> FindAsync(CancellationToken cancel)
    {
        try
        {
            return await resolve(settings.Host, cancel);
        }
        catch (Exception error) when (error is SocketException or ArgumentException)
        {
            throw new IOException($"statsd: {settings.Host} is not resolved: {error.Message}", error);
        }
    }

    private readonly record struct Receiver(Socket Socket, IPEndPoint Target)
    {
        // Not connected: else an ICMP error of a receiver that is down would fail the next call.
        public ValueTask<int> SendAsync(ReadOnlyMemory<byte> packet, CancellationToken cancel) =>
            Socket.SendToAsync(packet, SocketFlags.None, Target, cancel);
    }
}
