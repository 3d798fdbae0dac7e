using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using TaskService.Telemetry.Operations;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>
/// Sends spans and metrics to an OpenTelemetry collector (https://opentelemetry.io/docs/specs/otlp/). The exporters are
/// those of the SDK; its queue and its timer are not used, so that records are counted as for all exporters.
/// </summary>
public sealed class OtlpExporter : IExporter, IMeterExporter, IDisposable
{
    private static readonly string[] CertificateVariables =
    [
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    ];

    private readonly OtlpSettings settings;
    private readonly OtlpResponse lastResponse = new();
    private readonly OtlpTraceExporter spans;
    private readonly TracerProvider spansResource;
    private readonly BaseExportingMetricReader metrics;
    private readonly MeterProvider meters;

    /// <summary>Listens to meters from now on; connects later.</summary>
    public OtlpExporter(OtlpSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        this.settings = settings;
        // Includes the attributes of OTEL_RESOURCE_ATTRIBUTES.
        var resource = ResourceBuilder.CreateDefault().AddService(settings.ServiceName);
        spans = new OtlpTraceExporter(Options(settings.Traces, lastResponse));
        spansResource = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddProcessor(new NoProcessor(spans))
            .Build();
        metrics = new BaseExportingMetricReader(new OtlpMetricExporter(Options(settings.Metrics, new OtlpResponse())))
        {
            TemporalityPreference = settings.Temporality,
        };
        meters = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter([.. settings.Meters, .. settings.Meters.Select(name => $"{name}.*")])
            .AddReader(metrics)
            .Build();
    }

    public TimeSpan MetersInterval => settings.MetersInterval;

    public TimeSpan MetersTimeMax => settings.Metrics.AttemptTimeMax;

    /// <summary>Sends the spans of a batch. It blocks, with its own timeout.</summary>
    /// <exception cref="IOException">A retryable failure: no response, or a retryable status.</exception>
    /// <exception cref="ExporterBusyException">A retryable status with a delay.</exception>
    /// <exception cref="ExporterRefusedException">Any other status.</exception>
    public ValueTask SendAsync(IReadOnlyList<OperationRecord> batch, CancellationToken cancel)
    {
        var activities = batch.Select(record => record.Span).OfType<Activity>().ToArray();
        lastResponse.Reset();
        if (spans.Export(new Batch<Activity>(activities, activities.Length)) == ExportResult.Success)
        {
            return ValueTask.CompletedTask;
        }
        var problem = $"otlp: {settings.Traces.Name} {lastResponse}";
        Exception error = lastResponse switch
        {
            { IsRefusal: true } => new ExporterRefusedException(problem),
            { RetryDelayMin: { Ticks: > 0 } delay } => new ExporterBusyException(problem) { RetryDelayMin = delay },
            _ => new IOException(problem),
        };
        throw error;
    }

    /// <summary>
    /// Sends the measurements of the meters. A failure loses deltas, but no cumulative sums.
    /// </summary>
    /// <exception cref="IOException">The receiver did not accept them.</exception>
    public ValueTask SendMetersAsync(CancellationToken cancel) =>
        metrics.Collect((int)settings.Metrics.AttemptTimeMax.TotalMilliseconds)
            ? ValueTask.CompletedTask
            : throw new IOException($"otlp: {settings.Metrics.Name} did not take the metrics");

    public void Dispose()
    {
        meters.Dispose();
        spansResource.Dispose();
    }

    private static OtlpExporterOptions Options(OtlpTarget target, OtlpResponse response)
    {
        // The constructor reads environment variables, such as OTEL_EXPORTER_OTLP_CERTIFICATE.
        var options = new OtlpExporterOptions
        {
            Protocol = target.Protocol,
            Endpoint = target.Endpoint,
            // The SDK would split a value at an encoded comma.
            Headers = "",
            Compression = target.Compression,
            TimeoutMilliseconds = (int)target.AttemptTimeMax.TotalMilliseconds,
        };
        // The SDK configures certificates of the environment only in its own client, whose status is not visible here.
        var hasCertificates = CertificateVariables.Any(
            name => Environment.GetEnvironmentVariable(name) is { Length: > 0 });
        var makeClient = hasCertificates && options.HttpClientFactory is { } sdk
            ? sdk
            : () => new HttpClient(response) { Timeout = target.AttemptTimeMax };
        options.HttpClientFactory = () =>
        {
            var client = makeClient();
            foreach (var (name, value) in target.Headers)
            {
                client.DefaultRequestHeaders.Add(name, value);
            }
            return client;
        };
        return options;
    }

    /// <summary>Gives the exporter the resource of a provider; spans reach it without one.</summary>
    private sealed class NoProcessor(BaseExporter<Activity> exporter) : BaseExportProcessor<Activity>(exporter)
    {
        protected override void OnExport(Activity data)
        {
        }
    }
}
