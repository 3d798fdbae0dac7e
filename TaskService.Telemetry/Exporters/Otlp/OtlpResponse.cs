using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>
/// The last response of a receiver, of which the SDK's exporter reports only success or failure
/// (https://opentelemetry.io/docs/specs/otlp/#failures and #failures-1).
/// </summary>
internal sealed class OtlpResponse : DelegatingHandler
{
    private const int ContentBytesMax = 4 * 1024 * 1024;

    // https://grpc.io/docs/guides/status-codes/
    private const int ResourceExhausted = 8;

    private HttpStatusCode? status;
    private int? grpcStatus;
    private TimeSpan? pause;

    public OtlpResponse()
        : base(new SocketsHttpHandler { ActivityHeadersPropagator = null, AllowAutoRedirect = false })
    {
    }

    /// <summary>Whether the status is not retryable.</summary>
    public bool IsRefusal => grpcStatus switch
    {
        // Redirects are not followed.
        null => status is >= HttpStatusCode.MultipleChoices
            and not (HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout),
        // OK, CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        0 or 1 or 4 or 10 or 11 or 14 or 15 => false,
        // Retryable only with a delay (RetryInfo): else it may be a quota that no retry meets.
        ResourceExhausted => pause is null,
        _ => true,
    };

    /// <summary>The retry delay that the receiver requests; zero for none.</summary>
    public TimeSpan RetryDelayMin => pause ?? TimeSpan.Zero;

    /// <summary>Clears the last response before a call.</summary>
    public void Reset() => (status, grpcStatus, pause) = (null, null, null);

    public override string ToString() =>
        grpcStatus is not null ? $"answered grpc-status {grpcStatus}"
        : status is not null ? $"answered {(int)status}"
        : "did not respond";

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = base.Send(request, cancellationToken);
        Keep(response);
        return response;
    }

    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        try
        {
            // The status of gRPC is in the trailers, after the content.
            await response.Content.LoadIntoBufferAsync(ContentBytesMax, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            response.Dispose();
            throw;
        }
        Keep(response);
        return response;
    }

    private void Keep(HttpResponseMessage response)
    {
        status = response.StatusCode;
        grpcStatus = int.TryParse(Text(response, "grpc-status"), CultureInfo.InvariantCulture, out var code)
            ? code
            : null;
        pause = grpcStatus is null
            ? RetryAfter(response.Headers)
            : GrpcRetryInfo.Find(Text(response, "grpc-status-details-bin") ?? "");
    }

    // a response without content has it in the headers.
    private static string? Text(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out var values) || response.Headers.TryGetValues(name, out values)
            ? values.First()
            : null;

    // Relative to the Date of the response, since clocks may differ.
    private static TimeSpan? RetryAfter(HttpResponseHeaders headers) =>
        headers.RetryAfter?.Delta ?? headers.RetryAfter?.Date - (headers.Date ?? DateTimeOffset.UtcNow);
}
