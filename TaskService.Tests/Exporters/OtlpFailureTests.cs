using System.Globalization;
using Google.Protobuf;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>What a receiver says about a failure is obeyed: never again, again, or not before a time.</summary>
public sealed class OtlpFailureTests
{
    private static readonly (string, string) Sampled =
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

    [Theory]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(5, true)]
    [InlineData(6, true)]
    [InlineData(7, true)]
    [InlineData(8, true)]
    [InlineData(9, true)]
    [InlineData(12, true)]
    [InlineData(12, false)]
    [InlineData(13, true)]
    [InlineData(16, true)]
    [InlineData(16, false)]
    public async Task A_batch_refused_by_gRPC_is_dropped_and_later_ones_arrive(int status, bool byHeadersAlone)
    {
        using var hits = new LimitHits();
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.FailsByHeadersAlone = byHeadersAlone;
        receiver.Answers.Enqueue(status);
        var exporter = $"grpc-{status}-{byHeadersAlone}";
        await using var service = await StartAsync(exporter, $"protocol: grpc, endpoint: '{receiver.GrpcEndpoint}'");
        using var lost = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await Until.TrueAsync(() => hits[$"taskservice.exporter.drops {exporter}"] == 2, "drops");
        Assert.Single(receiver.SpansArrivals);
        using var kept = await service.SendAsync("GET", "/tasks/none", null, Sampled, ("X-Request-ID", "kept"));
        Assert.All(await receiver.SpansAsync(2), span => Assert.Equal("kept", span.Attributes["req_id"]));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(4, true)]
    [InlineData(10, true)]
    [InlineData(11, true)]
    [InlineData(14, true)]
    [InlineData(14, false)]
    [InlineData(15, true)]
    public async Task A_batch_with_a_retryable_gRPC_status_arrives_once_later(int status, bool byHeadersAlone)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.FailsByHeadersAlone = byHeadersAlone;
        receiver.Answers.Enqueue(status);
        receiver.Answers.Enqueue(status);
        await using var service = await StartAsync("otlp", $"protocol: grpc, endpoint: '{receiver.GrpcEndpoint}'");
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await receiver.SpansAsync(2);
        Assert.Empty(receiver.Answers);
    }

    [Theory]
    [InlineData(8, true)]
    [InlineData(8, false)]
    [InlineData(14, true)]
    public async Task RESOURCE_EXHAUSTED_with_RetryInfo_is_retried_after_its_delay(
        int status, bool isPadded)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var details = Convert.ToBase64String(StatusWith("google.rpc.RetryInfo", status));
        receiver.FailureHeaders["grpc-status-details-bin"] = isPadded ? details : details.TrimEnd('=');
        receiver.Answers.Enqueue(status);
        await using var service = await StartAsync("otlp", $"protocol: grpc, endpoint: '{receiver.GrpcEndpoint}'");
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await receiver.SpansAsync(2);
        AssertPause(receiver, TimeSpan.FromSeconds(1.5));
    }

    [Theory]
    [InlineData("google.rpc.ErrorInfo")]
    [InlineData("none")]
    [InlineData("cut off")]
    [InlineData("no base64")]
    public async Task RESOURCE_EXHAUSTED_without_RetryInfo_is_not_retried(string detail)
    {
        using var hits = new LimitHits();
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.FailureHeaders["grpc-status-details-bin"] = detail switch
        {
            "none" => "",
            "cut off" => Convert.ToBase64String(StatusWith("google.rpc.RetryInfo", 8)[..^3]),
            "no base64" => "!",
            _ => Convert.ToBase64String(StatusWith(detail, 8)),
        };
        receiver.Answers.Enqueue(8);
        var exporter = $"grpc {detail}";
        await using var service = await StartAsync(
            $"'{exporter}'", $"protocol: grpc, endpoint: '{receiver.GrpcEndpoint}'");
        using var lost = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await Until.TrueAsync(() => hits[$"taskservice.exporter.drops {exporter}"] == 2, "drops");
        Assert.Single(receiver.SpansArrivals);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task No_retry_is_sent_before_the_seconds_of_Retry_After(int status)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        receiver.FailureHeaders.RetryAfter = "1";
        receiver.Answers.Enqueue(status);
        await using var service = await StartAsync("otlp", $"endpoint: '{receiver.HttpEndpoint}'");
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await receiver.SpansAsync(2);
        AssertPause(receiver, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task No_retry_is_sent_before_the_date_of_Retry_After()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await StartAsync("otlp", $"endpoint: '{receiver.HttpEndpoint}'");
        var date = DateTimeOffset.UtcNow.AddSeconds(3).ToString("R", CultureInfo.InvariantCulture);
        receiver.FailureHeaders.RetryAfter = date;
        receiver.Answers.Enqueue(503);
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await receiver.SpansAsync(2);
        Assert.InRange(
            receiver.SpansArrivals[1],
            DateTimeOffset.Parse(date, CultureInfo.InvariantCulture).UtcDateTime,
            DateTime.MaxValue);
    }

    // From the first request, which came before its answer.
    private static void AssertPause(OtlpReceiver receiver, TimeSpan min)
    {
        var arrivals = receiver.SpansArrivals;
        Assert.Equal(2, arrivals.Count);
        Assert.InRange(arrivals[1] - arrivals[0], min, TimeSpan.MaxValue);
    }

    // What is refused or put off is one batch: the two operations of a request, however long they are apart.
    private static Task<RunningService> StartAsync(string exporter, string settings) => RunningService.StartAsync(
        logging: $$"""
            telemetry:
              exporters:
                {{exporter}}: { type: otlp, batch-delay-max-ms: 60000, batch-records-max: 2, {{settings}} }
            logging: { handlers: { console: { type: console, level: none } } }
            """);

    // google.rpc.Status with a text before the detail (google/rpc/status.proto, error_details.proto): 1.5 seconds.
    private static byte[] StatusWith(string detail, int status)
    {
        var duration = Message((1, 1UL), (2, 500_000_000UL));
        var other = Message((1, "type.googleapis.com/google.rpc.Help"), (2, Message((1, "see there"))));
        var wanted = Message((1, $"type.googleapis.com/{detail}"), (2, Message((1, duration))));
        return Message((1, (ulong)status), (2, "no room"), (3, other), (3, wanted));
    }

    private static byte[] Message(params (int Number, object Value)[] fields)
    {
        using var stream = new MemoryStream();
        using var output = new CodedOutputStream(stream);
        foreach (var (number, value) in fields)
        {
            var isNumber = value is ulong;
            output.WriteTag(number, isNumber ? WireFormat.WireType.Varint : WireFormat.WireType.LengthDelimited);
            switch (value)
            {
                case ulong bits:
                    output.WriteUInt64(bits);
                    break;
                case string text:
                    output.WriteString(text);
                    break;
                default:
                    output.WriteBytes(ByteString.CopyFrom((byte[])value));
                    break;
            }
        }
        output.Flush();
        return stream.ToArray();
    }
}
