using System.Net;
using System.Net.Sockets;
using TaskService.Tests.Support;

namespace TaskService.Tests.Exporters;

/// <summary>Receivers that fail in every way: requests are answered, and each record is accounted for.</summary>
public sealed class ExporterFaultTests
{
    private const int Requests = 200;

    // Who calls decides, so that these are recorded and nothing else: what other services of this process do outside of
    // any request goes to the service that was started last.
    private static readonly (string, string) Sampled =
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

    private const string Silent = "\nlogging: { handlers: { console: { type: console, level: none } } }";

    [Theory]
    [InlineData("dead")]
    [InlineData("half-open")]
    [InlineData("slow")]
    [InlineData("429")]
    [InlineData("500")]
    [InlineData("400")]
    public async Task Requests_succeed_and_every_lost_record_is_counted(string fault)
    {
        using var hits = new LimitHits();
        await using var receiver = await FailingReceiver.StartAsync(fault);
        var exporter = $"fault-{fault}";
        await using (var service = await RunningService.StartAsync(logging: $$"""
            telemetry:
              exporters:
                {{exporter}}:
                  type: otlp
                  endpoint: '{{receiver.Endpoint}}'
                  records-max: 50
                  batch-records-max: 10
                  batch-delay-max-ms: 1
                  attempt-time-max-ms: 200
                  attempts-max: 2
                  close-time-max-ms: 200
            """ + Silent))
        {
            await Task.WhenAll(Enumerable.Range(0, Requests).Select(async _ =>
            {
                using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
                Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
            }));
            // What does not wait is dropped already, while all goes on.
            await Until.TrueAsync(() => hits[$"taskservice.exporter.drops {exporter}"] >= 2 * Requests - 50, "drops");
        }
        // Nothing was sent, so that all of it was dropped; each request is two operations.
        Assert.Equal(2 * Requests, hits[$"taskservice.exporter.drops {exporter}"]);
    }

    [Fact]
    public async Task A_receiver_that_recovers_gets_the_queued_records_once()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Gate = gate.Task;
        await using var service = await RunningService.StartAsync(logging: $$"""
            telemetry:
              exporters:
                collector: { type: otlp, endpoint: '{{receiver.HttpEndpoint}}', attempt-time-max-ms: 60000 }
            """ + Silent);
        await Task.WhenAll(Enumerable.Range(0, Requests).Select(async _ =>
        {
            using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        }));
        Assert.Equal(0, receiver.Requests);
        gate.SetResult();
        var spans = await receiver.SpansAsync(2 * Requests);
        Assert.Equal(2 * Requests, spans.Select(span => span.SpanId).Distinct().Count());
    }

    [Theory]
    [InlineData("traces")]
    [InlineData("metrics")]
    public async Task Each_signal_has_its_own_timeout(string signal)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Gate = gate.Task;
        await using var service = await RunningService.StartAsync(logging: $$"""
            telemetry:
              exporters:
                own-time:
                  type: otlp
                  endpoint: '{{receiver.HttpEndpoint}}'
                  attempt-time-max-ms: 600000
                  meters-interval-ms: 50
                  {{signal}}: { attempt-time-max-ms: 50 }
            """ + Silent);
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await Until.TrueAsync(() => receiver.GivenUp.Any(), "a request that is given up");
        Assert.All(receiver.GivenUp, path => Assert.Equal($"/v1/{signal}", path));
        gate.SetResult();
    }

    [Fact]
    public async Task The_timeout_of_a_signal_may_be_longer_than_that_of_the_exporter()
    {
        using var hits = new LimitHits();
        await using var slow = await FailingReceiver.StartAsync("half-open");
        await using var receiver = await OtlpReceiver.StartAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver.Gate = gate.Task;
        await using var service = await RunningService.StartAsync(logging: $$"""
            telemetry:
              exporters:
                time-short: { type: otlp, endpoint: '{{slow.Endpoint}}', attempt-time-max-ms: 500, attempts-max: 1 }
                time-long:
                  type: otlp
                  endpoint: '{{receiver.HttpEndpoint}}'
                  attempt-time-max-ms: 50
                  attempts-max: 1
                  traces: { attempt-time-max-ms: 60000 }
            """ + Silent);
        using var answer = await service.SendAsync("GET", "/tasks/none", null, Sampled);
        await Until.TrueAsync(() => hits["taskservice.exporter.drops time-short"] == 2, "drops");
        gate.SetResult();
        await receiver.SpansAsync(2);
        Assert.Equal(0, hits["taskservice.exporter.drops time-long"]);
    }

    /// <summary>Never takes anything.</summary>
    private sealed class FailingReceiver : IAsyncDisposable
    {
        private readonly TcpListener? listener;
        private readonly OtlpReceiver? receiver;
        private readonly TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private FailingReceiver(TcpListener? listener, OtlpReceiver? receiver, Uri endpoint) =>
            (this.listener, this.receiver, Endpoint) = (listener, receiver, endpoint);

        public Uri Endpoint { get; }

        public static async Task<FailingReceiver> StartAsync(string fault)
        {
            if (fault is "dead" or "half-open")
            {
                // The system takes connections to who listens, whether anyone accepts them or not.
                var listener = new TcpListener(IPAddress.Loopback, 0);
                listener.Start();
                var endpoint = new Uri($"http://{listener.LocalEndpoint}");
                if (fault == "dead")
                {
                    listener.Dispose();
                }
                return new(listener, null, endpoint);
            }
            var receiver = await OtlpReceiver.StartAsync();
            var failing = new FailingReceiver(null, receiver, receiver.HttpEndpoint);
            receiver.AnswerAlways = fault == "slow" ? 503 : int.Parse(fault);
            receiver.Gate = fault == "slow" ? failing.gate.Task : Task.CompletedTask;
            return failing;
        }

        public async ValueTask DisposeAsync()
        {
            gate.TrySetResult();
            listener?.Dispose();
            if (receiver is not null)
            {
                await receiver.DisposeAsync();
            }
        }
    }
}
