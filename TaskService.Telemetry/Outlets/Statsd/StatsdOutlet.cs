using System.Net;
using System.Net.Sockets;

namespace TaskService.Telemetry.Outlets.Statsd;

/// <summary>
/// Sends timers of operations, and what meters measure, to statsd by UDP: whether anybody receives them is not known.
/// Its methods may be called at the same time. See https://github.com/statsd/statsd/blob/master/docs/metric_types.md.
/// </summary>
public sealed class StatsdOutlet : IOutlet, IMeterOutlet, IDisposable
{
    private static readonly TimeSpan ResolvedTimeMax = TimeSpan.FromSeconds(60);

    private readonly StatsdSettings settings;
    private readonly MeterReader? meters;
    private readonly TimeProvider time;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly StatsdPackets packets;

    // One object a name, so that its bytes are made once. Within the gate.
    private readonly Dictionary<OperationKey, MetricName> names = [];
    private readonly SemaphoreSlim gate = new(1, 1);
    private IPEndPoint? target;
    private long resolvedAt;
    private Socket? socket;

    /// <summary>Nothing is resolved or opened yet.</summary>
    /// <param name="settings">Where to, and how.</param>
    /// <param name="meters">What <see cref="SendMetersAsync"/> sends; disposed of with this.</param>
    public StatsdOutlet(StatsdSettings settings, MeterReader? meters = null)
        : this(settings, meters, TimeProvider.System, Dns.GetHostAddressesAsync)
    {
    }

    internal StatsdOutlet(
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
        SendAsync(() => batch.Select(TimerOf), cancel);

    public TimeSpan MetersInterval => settings.MetersInterval;

    /// <summary>Sends what the meters have measured since the last time.</summary>
    /// <exception cref="IOException">
    /// The name of the host is not resolved; the measurements are kept for the next time.
    /// </exception>
    /// <exception cref="SocketException">The machine cannot send; these measurements are lost.</exception>
    public ValueTask SendMetersAsync(CancellationToken cancel) =>
        meters is null ? ValueTask.CompletedTask : SendAsync(meters.Collect, cancel);

    public void Dispose()
    {
        meters?.Dispose();
        socket?.Dispose();
        gate.Dispose();
    }

    private Metric TimerOf(OperationRecord record) => new(
        NameOf(OperationKey.Of(record)),
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

    private async ValueTask SendAsync(Func<IEnumerable<Metric>> collect, CancellationToken cancel)
    {
        await gate.WaitAsync(cancel);
        try
        {
            // First, so that what cannot be sent is not taken out of the meters.
            var to = await ResolveAsync(cancel);
            packets.Clear();
            foreach (var metric in collect())
            {
                packets.Add(metric);
            }
            foreach (var packet in packets.All)
            {
                // Not connected: else a receiver that is away for a moment would make the next call fail.
                await to.Socket.SendToAsync(packet, SocketFlags.None, to.Target, cancel);
            }
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

    private async ValueTask<(Socket Socket, IPEndPoint Target)> ResolveAsync(CancellationToken cancel)
    {
        if (target is null || socket is null || time.GetElapsedTime(resolvedAt) >= ResolvedTimeMax)
        {
            target = null;
            // IPv4 first: most receivers have no other, and UDP does not tell that nobody listens.
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
        return (socket, target);
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
}
