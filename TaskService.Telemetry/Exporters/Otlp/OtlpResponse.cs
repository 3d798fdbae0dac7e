using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace TaskService.Telemetry.Exporters.Otlp;

/// <summary>
/// The last response of a receiver, of which the exporter tells no more than that it was not success
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

    /// <summary>Whether to send the same again is useless.</summary>
    public bool IsRefusal => grpcStatus switch
    {
        // Redirects are not followed.
        null => status is >= HttpStatusCode.MultipleChoices
            and not (HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway
                or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout),
        // OK, CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        0 or 1 or 4 or 10 or 11 or 14 or 15 => false,
        // It may be a quota that nothing fits in, unless the receiver says when to try again.
        ResourceExhausted => pause is null,
        _ => true,
    };

    /// <summary>How long the receiver asks to wait; zero when it does not say.</summary>
    public TimeSpan RetryDelayMin => pause ?? TimeSpan.Zero;

    /// <summary>Until another comes, there was none.</summary>
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
            // The status of gRPC comes after the content.
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

    // The clock of the receiver may be another than ours.
    private static TimeSpan? RetryAfter(HttpResponseHeaders headers) =>
        headers.RetryAfter?.Delta ?? headers.RetryAfter?.Date - (headers.Date ?? DateTimeOffset.UtcNow);
}
