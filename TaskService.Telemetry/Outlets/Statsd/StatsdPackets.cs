using System.Buffers;
using TaskService.Telemetry.Logging;

namespace TaskService.Telemetry.Outlets.Statsd;

/// <summary>
/// Metrics as lines of statsd, <c>name:value|kind</c>, and these as packets: joined by newlines, none at the end. The
/// memory of earlier packets is used again.
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

    private readonly Utf8Line line = new();
    private readonly ArrayBufferWriter<byte> bytes = new();
    private readonly List<Range> packets = [];

    public IEnumerable<ReadOnlyMemory<byte>> All => packets.Select(packet => bytes.WrittenMemory[packet]);

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
            // A sign makes it a change of the last value. Both lines stay together: packets may overtake each other.
            AppendLine(metric with { Value = 0 });
            line.Append((byte)'\n');
        }
        AppendLine(metric);
        var start = bytes.WrittenCount;
        if (packets is [.., var last] && start + 1 + line.Bytes.Length - last.Start.Value <= settings.PacketBytesMax)
        {
            bytes.Write("\n"u8);
            start = last.Start.Value;
            packets.RemoveAt(packets.Count - 1);
        }
        bytes.Write(line.Bytes);
        packets.Add(start..bytes.WrittenCount);
    }

    private void AppendLine(Metric metric)
    {
        var isTagged = settings.Tags == StatsdTagFormat.Datadog;
        var parts = isTagged ? metric.Name.Parts : metric.Name.Flat;
        var name = string.Join('.', parts.Select(part => Clean(part, NotInName)));
        line.Append(Cut(settings.Prefix + name, NameCharactersMax));
        line.Append((byte)':');
        // Never with an exponent, which not every receiver reads; and zero has no sign.
        line.Append(metric.Value + 0.0, "0.######");
        line.Append(metric.Kind switch
        {
            MetricKind.Counter => "|c"u8,
            MetricKind.Gauge => "|g"u8,
            _ => "|ms"u8,
        });
        if (isTagged)
        {
            AppendTags(metric.Name.Tags);
        }
    }

    private void AppendTags(IReadOnlyList<KeyValuePair<string, string>> tags)
    {
        for (var i = 0; i < tags.Count; i++)
        {
            line.Append(i == 0 ? "|#"u8 : ","u8);
            line.Append(Cut(Clean(tags[i].Key, NotInTag), TagCharactersMax));
            line.Append((byte)':');
            line.Append(Cut(Clean(tags[i].Value, NotInTag), TagCharactersMax));
        }
    }

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

    // Half of a surrogate pair would be no character.
    private static ReadOnlySpan<char> Cut(string text, int max) =>
        text.Length <= max ? text : text.AsSpan(0, char.IsHighSurrogate(text[max - 1]) ? max - 1 : max);
}
