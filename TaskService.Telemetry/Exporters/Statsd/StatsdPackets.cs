using System.Buffers;
using System.Text;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters.Statsd;

/// <summary>
/// Formats metrics as lines of statsd, <c>name:value|kind</c>, and batches lines in packets: joined by newlines, none
/// at the end. The memory of earlier packets is reused.
/// </summary>
internal sealed class StatsdPackets(StatsdSettings settings)
{
    public const int NameCharactersMax = 450;
    public const int TagCharactersMax = 200;

    // Up to U+009F all control characters.
    private static readonly string Controls =
        string.Concat(Enumerable.Range(0, 0xa0).Select(i => (char)i).Where(char.IsControl));

    private static readonly SearchValues<char> NotInName = SearchValues.Create(":|." + Controls);
    private static readonly SearchValues<char> NotInTag = SearchValues.Create("|," + Controls);

    /// <summary>Names whose bytes are cached; beyond, the cache is cleared.</summary>
    public const int NamesMax = 1_000;

    private readonly Dictionary<MetricName, (byte[] Name, byte[] Tags)> known = [];
    private readonly Utf8Line line = new();
    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly List<(int Start, int End, int Metrics)> packets = [];

    public int Count => packets.Count;

    public ReadOnlyMemory<byte> this[int packet] =>
        bytes.WrittenMemory[packets[packet].Start..packets[packet].End];

    public int MetricsIn(int packet) => packets[packet].Metrics;

    public void Clear()
    {
        bytes.ResetWrittenCount();
        packets.Clear();
    }

    public void Add(Metric metric)
    {
        line.Clear();
        if (metric is { Kind: MetricKind.Gauge, Value: < 0 })
        {
            // A sign would make it a delta, so set 0 first. Both lines share a packet: packets may be reordered.
            AppendLine(metric with { Value = 0 });
            line.Append((byte)'\n');
        }
        AppendLine(metric);
        var (start, metrics) = (bytes.WrittenCount, 1);
        if (packets is [.., var last] && start + 1 + line.Bytes.Length - last.Start <= settings.PacketBytesMax)
        {
            bytes.Write("\n"u8);
            (start, metrics) = (last.Start, last.Metrics + 1);
            packets.RemoveAt(packets.Count - 1);
        }
        bytes.Write(line.Bytes);
        packets.Add((start, bytes.WrittenCount, metrics));
    }

    private void AppendLine(Metric metric)
    {
        var (name, tags) = BytesOf(metric.Name);
        line.Append(name);
        AppendValue(metric.Value);
        line.Append(metric.Kind switch
        {
            MetricKind.Counter => "|c"u8,
            MetricKind.Gauge => "|g"u8,
            _ => "|ms"u8,
        });
        line.Append(tags);
    }

    private void AppendValue(double value)
    {
        if (Math.Abs(value) < 1e15 && value == (long)value)
        {
            // All durations of operations are whole numbers, and the formatting below is several times as slow.
            line.Append((long)value);
            return;
        }
        // Without an exponent, which not every receiver parses; adding 0.0 removes the sign of a negative zero.
        line.Append(value + 0.0, "0.######");
    }

    private (byte[] Name, byte[] Tags) BytesOf(MetricName name)
    {
        if (!known.TryGetValue(name, out var bytesOfName))
        {
            if (known.Count >= NamesMax)
            {
                known.Clear();
            }
            known.Add(name, bytesOfName = MakeBytes(name));
        }
        return bytesOfName;
    }

    private (byte[] Name, byte[] Tags) MakeBytes(MetricName name)
    {
        var isTagged = settings.Tags == StatsdTagFormat.Datadog;
        var parts = isTagged ? name.Parts : name.Flat;
        var joined = string.Join('.', parts.Select(part => Clean(part, NotInName)));
        var text = Cut(settings.Prefix + joined, NameCharactersMax);
        var tags = string.Join(',', name.Tags.Select(tag => $"{CleanTag(tag.Key)}:{CleanTag(tag.Value)}"));
        return (
            [.. Encoding.UTF8.GetBytes(text), (byte)':'],
            isTagged && tags.Length > 0 ? Encoding.UTF8.GetBytes("|#" + tags) : []);
    }

    private static string CleanTag(string text) => Cut(Clean(text, NotInTag), TagCharactersMax);

    private static string Clean(string text, SearchValues<char> unclean)
    {
        if (!text.AsSpan().ContainsAny(unclean))
        {
            return text;
        }
        var clean = text.ToCharArray();
        clean.AsSpan().ReplaceAny(unclean, '_');
        return new string(clean);
    }

    // Does not split a surrogate pair.
    private static string Cut(string text, int max) =>
        text.Length <= max ? text : text[..(char.IsHighSurrogate(text[max - 1]) ? max - 1 : max)];
}
