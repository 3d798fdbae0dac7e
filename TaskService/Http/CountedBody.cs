using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace TaskService.Http;

/// <summary>Counts the bytes of a response body that is not an <see cref="ApiResult"/>.</summary>
/// <param name="body">Sends them.</param>
internal sealed class CountedBody(IHttpResponseBodyFeature body) : PipeWriter, IHttpResponseBodyFeature
{
    private long bytes;
    private Stream? stream;

    public Stream Stream => stream ??= AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => body.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => body.Writer.UnflushedBytes;

    /// <summary>Counts from now on.</summary>
    public static void Begin(HttpContext http) => http.Features.Set<IHttpResponseBodyFeature>(
        new CountedBody(http.Features.GetRequiredFeature<IHttpResponseBodyFeature>()));

    /// <returns>How many bytes were handed to the server since it began to count.</returns>
    public static long BytesOf(HttpContext http) =>
        // The server takes the body of an answer to HEAD, and keeps it.
        http.Features.Get<IHttpResponseBodyFeature>() is CountedBody counted && !HttpMethods.IsHead(http.Request.Method)
            ? counted.bytes
            : 0;

    public override void Advance(int bytes)
    {
        this.bytes += bytes;
        body.Writer.Advance(bytes);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => body.Writer.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => body.Writer.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        body.Writer.FlushAsync(cancellationToken);

    public override void CancelPendingFlush() => body.Writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => body.Writer.Complete(exception);

    public void DisableBuffering() => body.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => body.StartAsync(cancellationToken);

    public Task SendFileAsync(
        string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);

    public Task CompleteAsync() => body.CompleteAsync();
}
