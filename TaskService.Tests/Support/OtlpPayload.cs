using Google.Protobuf;

namespace TaskService.Tests.Support;

/// <summary>A span as a receiver of OTLP reads it.</summary>
internal sealed record OtlpSpan(
    string TraceId,
    string SpanId,
    string ParentId,
    string Name,
    long Kind,
    DateTime Start,
    DateTime End,
    IReadOnlyDictionary<string, object?> Attributes,
    IReadOnlyList<IReadOnlyDictionary<string, object?>> Events,
    long StatusCode,
    string TraceState,
    string Scope,
    IReadOnlyDictionary<string, object?> Resource);

/// <summary>A data point of a sum, a gauge or a histogram.</summary>
/// <param name="Value">The number, or how many values a histogram has.</param>
/// <param name="Sum">Of a histogram.</param>
/// <param name="Temporality">1 delta, 2 cumulative; 0 of a gauge.</param>
internal sealed record OtlpPoint(
    string Metric,
    string Unit,
    IReadOnlyDictionary<string, object?> Attributes,
    double Value,
    double Sum,
    long Temporality);

/// <summary>
/// Reads OTLP by the numbers of the published definitions (github.com/open-telemetry/opentelemetry-proto, version 1):
/// trace/v1, metrics/v1, common/v1 and resource/v1.
/// </summary>
internal static class OtlpPayload
{
    public static IEnumerable<OtlpSpan> Spans(byte[] request) =>
        from resourceSpans in new Message(request).Messages(1)
        let resource = Attributes(resourceSpans.Messages(1).Single(), 1)
        from scopeSpans in resourceSpans.Messages(2)
        let scope = scopeSpans.Messages(1).Single().Text(1)
        from span in scopeSpans.Messages(2)
        select new OtlpSpan(
            span.Hex(1),
            span.Hex(2),
            span.Hex(4),
            span.Text(5),
            (long)span.Number(6),
            Time(span.Number(7)),
            Time(span.Number(8)),
            Attributes(span, 9),
            [.. span.Messages(11).Select(one => Attributes(one, 3))],
            (long)(span.Messages(15).SingleOrDefault()?.Number(3) ?? 0),
            span.Text(3),
            scope,
            resource);

    public static IEnumerable<OtlpPoint> Points(byte[] request) =>
        from resourceMetrics in new Message(request).Messages(1)
        from scopeMetrics in resourceMetrics.Messages(2)
        from metric in scopeMetrics.Messages(2)
        from point in Points(metric)
        select point;

    private static IEnumerable<OtlpPoint> Points(Message metric)
    {
        var (name, unit) = (metric.Text(1), metric.Text(3));
        var numbers = metric.Messages(5).Concat(metric.Messages(7)).SelectMany(data => data.Messages(1).Select(point =>
            new OtlpPoint(
                name,
                unit,
                Attributes(point, 7),
                point.Has(6) ? (long)point.Number(6) : BitConverter.UInt64BitsToDouble(point.Number(4)),
                0,
                (long)data.Number(2))));
        var histograms = metric.Messages(9).SelectMany(data => data.Messages(1).Select(point =>
            new OtlpPoint(
                name,
                unit,
                Attributes(point, 9),
                point.Number(4),
                BitConverter.UInt64BitsToDouble(point.Number(5)),
                (long)data.Number(2))));
        return numbers.Concat(histograms);
    }

    private static DateTime Time(ulong nanoseconds) => DateTime.UnixEpoch.AddTicks((long)nanoseconds / 100);

    private static Dictionary<string, object?> Attributes(Message message, int field) =>
        message.Messages(field).ToDictionary(pair => pair.Text(1), pair => Value(pair.Messages(2).Single()));

    private static object? Value(Message value) =>
        value.Has(1) ? value.Text(1)
        : value.Has(2) ? value.Number(2) != 0
        : value.Has(3) ? (long)value.Number(3)
        : value.Has(4) ? BitConverter.UInt64BitsToDouble(value.Number(4))
        : value.Has(5) ? value.Messages(5).Single().Messages(1).Select(Value).ToArray()
        : null;

    /// <summary>Fields by their number: numbers as their bits, everything else as bytes.</summary>
    private sealed class Message
    {
        private readonly List<(int Number, ulong Bits, ByteString Bytes)> fields = [];

        public Message(byte[] bytes)
            : this(new CodedInputStream(bytes))
        {
        }

        private Message(CodedInputStream input)
        {
            while (input.ReadTag() is not 0 and var tag)
            {
                var number = WireFormat.GetTagFieldNumber(tag);
                fields.Add(WireFormat.GetTagWireType(tag) switch
                {
                    WireFormat.WireType.Varint => (number, input.ReadUInt64(), ByteString.Empty),
                    WireFormat.WireType.Fixed64 => (number, input.ReadFixed64(), ByteString.Empty),
                    WireFormat.WireType.Fixed32 => (number, input.ReadFixed32(), ByteString.Empty),
                    WireFormat.WireType.LengthDelimited => (number, 0, input.ReadBytes()),
                    var type => throw new InvalidDataException($"wire type {type}"),
                });
            }
        }

        public bool Has(int number) => fields.Any(field => field.Number == number);

        public ulong Number(int number) => fields.LastOrDefault(field => field.Number == number).Bits;

        public string Text(int number) => Bytes(number).ToStringUtf8();

        public string Hex(int number) => Convert.ToHexStringLower(Bytes(number).Span);

        public IEnumerable<Message> Messages(int number) => fields
            .Where(field => field.Number == number)
            .Select(field => new Message(field.Bytes.CreateCodedInput()));

        private ByteString Bytes(int number) =>
            fields.LastOrDefault(field => field.Number == number).Bytes ?? ByteString.Empty;
    }
}
