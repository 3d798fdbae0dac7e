using TaskService.Telemetry;
using TaskService.Telemetry.Operations;
using TaskService.Tests.Support;

namespace TaskService.Tests.Operations;

/// <summary>Which traces are recorded when no caller has decided.</summary>
public sealed class TraceDecisionTests
{
    private readonly ReceivedSpans spans = new();

    [Theory]
    [InlineData(0, 10_000, 0, 0)]
    [InlineData(1, 10_000, 10_000, 10_000)]
    // Within six standard deviations.
    [InlineData(0.001, 1_000_000, 810, 1_190)]
    public async Task Traces_are_sampled_with_the_probability(
        double probability, int requests, int min, int max)
    {
        await using (var telemetry = SystemWith(probability, spans))
        {
            for (var i = 0; i < requests; i++)
            {
                using var request = telemetry.StartRequest("id", null);
            }
        }
        Assert.InRange(spans.All.Count, min, max);
    }

    [Fact]
    public async Task A_sampling_decision_applies_to_all_operations_of_a_trace()
    {
        await using (var telemetry = SystemWith(0.5, spans))
        {
            for (var i = 0; i < 200; i++)
            {
                using var request = telemetry.StartRequest("id", null);
                using (Operation.Start(".a"))
                {
                    Operation.Start(".b").Dispose();
                }
                Operation.Start("other").Dispose();
            }
        }
        var traces = spans.All.CountBy(span => span.Trace.TraceId).ToList();
        Assert.All(traces, trace => Assert.Equal(4, trace.Value));
        Assert.InRange(traces.Count, 50, 150);
    }

    [Fact]
    public async Task Each_of_two_exporters_gets_every_sampled_trace()
    {
        var others = new ReceivedSpans();
        await using (var telemetry = SystemWith(0.5, spans, others))
        {
            for (var i = 0; i < 200; i++)
            {
                using var request = telemetry.StartRequest($"{i}", null);
            }
        }
        Assert.InRange(spans.All.Count, 50, 150);
        Assert.Equal(spans.All.Select(span => span.Id), others.All.Select(span => span.Id));
    }

    private static TelemetrySystem SystemWith(double probability, params ReceivedSpans[] exporters) => new(
        new TelemetrySettings
        {
            TraceProbability = probability,
            Exporters = [.. exporters.Select((exporter, number) => exporter.Settings($"spans{number}"))],
        },
        (_, _, _) => { });
}
