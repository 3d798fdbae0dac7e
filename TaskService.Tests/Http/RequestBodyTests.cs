using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TaskService.Http;

namespace TaskService.Tests.Http;

/// <summary>What the server's reader does at moments that no client can choose.</summary>
public sealed class RequestBodyTests
{
    [Fact]
    public async Task A_stream_that_is_reset_between_reading_and_advancing_is_a_client_that_has_gone()
    {
        var http = new DefaultHttpContext();
        http.Request.Protocol = "HTTP/2";
        http.Features.Set<IRequestBodyPipeFeature>(new ResetWhenAdvanced());
        await Assert.ThrowsAsync<ConnectionResetException>(
            async () => await RequestBody.ReadAsync(http.Request, 100, isPatch: false, CancellationToken.None));
    }

    /// <summary>As the server's own: after a reset, whatever is called throws.</summary>
    private sealed class ResetWhenAdvanced : PipeReader, IRequestBodyPipeFeature
    {
        public PipeReader Reader => this;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(new ReadResult(new("{"u8.ToArray()), isCanceled: false, isCompleted: false));

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) =>
            throw new IOException("The client reset the request stream.");

        public override bool TryRead(out ReadResult result) => throw new NotSupportedException();

        public override void CancelPendingRead() => throw new NotSupportedException();

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
