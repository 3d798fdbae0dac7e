using System.Buffers;
using TaskService.Telemetry;

namespace TaskService.Api;

/// <summary>
/// Sends answers: the one place for conditions on reads, negotiation, codings, the headers that all share and problem
/// bodies.
/// </summary>
/// <param name="debug">Whether error bodies carry <c>trace</c>.</param>
internal sealed class AnswerWriter(bool debug)
{
    private const string Json = "application/json; charset=utf-8";
    private const string NoCache = "no-cache";
    private const string VaryByCoding = "Accept-Encoding";

    /// <summary>What becomes of a read when the client's conditions and wishes are heard.</summary>
    /// <param name="request">Says them.</param>
    /// <param name="answer">Becomes the answer to send.</param>
    /// <returns>The coding of its body.</returns>
    public static ContentCoding Negotiate(HttpRequest request, ref Answer answer)
    {
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (!isRead || answer.Status != StatusCodes.Status200OK || answer.IsSent)
        {
            return ContentCoding.Identity;
        }
        var coding = Negotiation.Choose(request.Headers.AcceptEncoding, answer.Body?.Length);
        if (coding is null || !Negotiation.AcceptsJson(request.Headers.Accept))
        {
            answer = Problem.NotAcceptable;
            return ContentCoding.Identity;
        }
        var conditions = new Preconditions(request.Headers);
        if (!conditions.MatchAllows(answer.Tag))
        {
            answer = Problem.From(Domain.ErrorKind.VersionMismatch);
            return ContentCoding.Identity;
        }
        if (conditions.ReaderHas(answer.Tag))
        {
            answer = answer with { Status = StatusCodes.Status304NotModified, Body = null, Tasks = null };
        }
        return coding.Value;
    }

    /// <returns>How many bytes of the body were handed to the server.</returns>
    public ValueTask<long> WriteAsync(
        HttpContext http, in Answer answer, ContentCoding coding, Operation operation, RequestTarget target)
    {
        if (answer.IsSent)
        {
            return ValueTask.FromResult(CountedBody.BytesOf(http));
        }
        http.Response.StatusCode = answer.Status;
        SetHeaders(http, answer, coding);
        if (answer.Problem is { } problem)
        {
            var trace = debug ? answer.Exception?.ToString() : null;
            http.Response.ContentType = Problem.ContentType;
            var body = problem.ToJson(http.Request.Method, target.Path, operation.Id, trace);
            return WriteBodyAsync(http, answer.Status, body, ContentCoding.Identity);
        }
        return answer.Tasks is { } tasks
            ? WriteTasksAsync(http, tasks, coding)
            : WriteBodyAsync(http, answer.Status, answer.Body, coding);
    }

    private static void SetHeaders(HttpContext http, in Answer answer, ContentCoding coding)
    {
        var headers = http.Response.Headers;
        headers.CacheControl = NoCache;
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method))
        {
            headers.Vary = VaryByCoding;
        }
        if (answer.Location is not null)
        {
            headers.Location = answer.Location;
        }
        if (answer.Link is not null)
        {
            headers.Link = answer.Link;
        }
        if (answer.Allow is not null)
        {
            headers.Allow = answer.Allow;
        }
        if (answer.AcceptPatch is not null)
        {
            headers["Accept-Patch"] = answer.AcceptPatch;
        }
        if (answer.Status == StatusCodes.Status503ServiceUnavailable)
        {
            headers.RetryAfter = "1";
        }
        if (answer.Tag is { } tag)
        {
            headers.ETag = Preconditions.Format(tag, coding);
        }
        if (answer.Body is not null || answer.Tasks is not null)
        {
            headers.ContentType = Json;
            if (coding != ContentCoding.Identity)
            {
                headers.ContentEncoding = Negotiation.Name(coding);
            }
        }
    }

    private static async ValueTask<long> WriteBodyAsync(
        HttpContext http, int status, ReadOnlyMemory<byte>? plain, ContentCoding coding)
    {
        if (status is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified)
        {
            return 0;
        }
        var body = plain ?? ReadOnlyMemory<byte>.Empty;
        if (coding != ContentCoding.Identity)
        {
            using var coded = new MemoryStream();
            await using (var encoder = Negotiation.Encoder(coding, coded))
            {
                await encoder.WriteAsync(body, http.RequestAborted);
            }
            body = coded.ToArray();
        }
        http.Response.ContentLength = body.Length;
        if (body.IsEmpty || HttpMethods.IsHead(http.Request.Method))
        {
            return 0;
        }
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
        return body.Length;
    }

    private static async ValueTask<long> WriteTasksAsync(HttpContext http, TaskListBody tasks, ContentCoding coding)
    {
        if (HttpMethods.IsHead(http.Request.Method))
        {
            return 0;
        }
        long sent = 0;
        var output = http.Response.BodyWriter;
        if (coding == ContentCoding.Identity)
        {
            // The head first, so that what follows is written where the server sends it from.
            await http.Response.StartAsync(http.RequestAborted);
            while (!tasks.IsWritten)
            {
                sent += await tasks.WriteAsync(output);
                await output.FlushAsync(http.RequestAborted);
            }
            return sent;
        }
        using var coded = new MemoryStream();
        await using var encoder = Negotiation.Encoder(coding, coded);
        var plain = new ArrayBufferWriter<byte>(TaskListBody.PieceBytesMax);
        while (!tasks.IsWritten)
        {
            plain.ResetWrittenCount();
            await tasks.WriteAsync(plain);
            await encoder.WriteAsync(plain.WrittenMemory, http.RequestAborted);
            if (tasks.IsWritten)
            {
                // What the encoder still holds comes out when it is closed; the stream behind it stays open to be read.
                await encoder.DisposeAsync();
            }
            var piece = coded.ToArray();
            await output.WriteAsync(piece, http.RequestAborted);
            sent += piece.Length;
            coded.SetLength(0);
        }
        return sent;
    }
}
