using System.Buffers;

namespace TaskService.Http;

/// <summary>
/// Sends results: the one place for conditions on reads, content negotiation, content codings, common headers and
/// problem bodies.
/// </summary>
internal static class ResultWriter
{
    private const int PieceBytes = 64 * 1024;
    private const string Json = "application/json; charset=utf-8";
    private const string NoCache = "no-cache";
    private const string VaryByCoding = "Accept-Encoding";

    /// <summary>Applies the request's conditions and preferences, and sends.</summary>
    public static Task ExecuteAsync(HttpContext http, ApiResult result)
    {
        var coding = Negotiate(http.Request, ref result);
        return WriteAsync(http, result, coding);
    }

    /// <summary>Sends a problem that was not the result of an endpoint.</summary>
    /// <param name="http">Of the request.</param>
    /// <param name="problem">Sent whatever the request accepts.</param>
    /// <param name="trace">The exception, for <c>--debug</c> only.</param>
    public static Task WriteProblemAsync(HttpContext http, Problem problem, string? trace = null) =>
        WriteAsync(http, problem, ContentCoding.Identity, trace);

    private static ContentCoding Negotiate(HttpRequest request, ref ApiResult result)
    {
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        if (!isRead || result.Status != StatusCodes.Status200OK)
        {
            return ContentCoding.Identity;
        }
        var bytes = result.Stream is null ? result.Body.Length : (int?)null;
        var coding = Negotiation.Choose(request.Headers.AcceptEncoding, bytes);
        if (coding is null || !Negotiation.AcceptsJson(request.Headers.Accept))
        {
            result = Problem.NotAcceptable;
            return ContentCoding.Identity;
        }
        var conditions = new Preconditions(request.Headers);
        if (!conditions.MatchAllows(result.Tag))
        {
            result = Problem.From(Domain.ErrorKind.VersionMismatch);
            return ContentCoding.Identity;
        }
        if (conditions.ReaderHas(result.Tag))
        {
            result = new ApiResult
            {
                Status = StatusCodes.Status304NotModified,
                Tag = result.Tag,
                Location = result.Location,
                Link = result.Link,
            };
        }
        return coding.Value;
    }

    private static async Task WriteAsync(
        HttpContext http, ApiResult result, ContentCoding coding, string? trace = null)
    {
        var state = RequestState.Of(http);
        state.BeginResult();
        state.Problem = result.Problem;
        http.Response.StatusCode = result.Status;
        SetHeaders(http, result, coding);
        if (result.Problem is { } problem)
        {
            http.Response.ContentType = Problem.ContentType;
            var body = problem.ToJson(http.Request.Method, state.Target.Path, state.Operation.Id, trace);
            await WriteBodyAsync(http, state, body, ContentCoding.Identity);
        }
        else
        {
            await (result.Stream is { } stream
                ? WriteStreamAsync(http, state, stream, coding)
                : WriteBodyAsync(http, state, result.Body, coding));
        }
    }

    private static void SetHeaders(HttpContext http, ApiResult result, ContentCoding coding)
    {
        var headers = http.Response.Headers;
        if (headers.CacheControl.Count == 0)
        {
            headers.CacheControl = NoCache;
        }
        if (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method))
        {
            headers.Vary = VaryByCoding;
        }
        if (result.Location is not null)
        {
            headers.Location = result.Location;
        }
        if (result.Link is not null)
        {
            headers.Link = result.Link;
        }
        if (result.Status == StatusCodes.Status503ServiceUnavailable && headers.RetryAfter.Count == 0)
        {
            headers.RetryAfter = "1";
        }
        if (result.Tag is { } tag)
        {
            headers.ETag = Preconditions.TagOf(tag, coding);
        }
        if (!result.Body.IsEmpty || result.Stream is not null)
        {
            headers.ContentType = Json;
            if (coding != ContentCoding.Identity)
            {
                headers.ContentEncoding = Negotiation.Name(coding);
            }
        }
    }

    private static async Task WriteBodyAsync(
        HttpContext http, RequestState state, ReadOnlyMemory<byte> body, ContentCoding coding)
    {
        if (http.Response.StatusCode is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified)
        {
            return;
        }
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
            return;
        }
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
        state.BodyBytes = body.Length;
    }

    private static async Task WriteStreamAsync(
        HttpContext http, RequestState state, IStreamedBody body, ContentCoding coding)
    {
        if (HttpMethods.IsHead(http.Request.Method))
        {
            return;
        }
        long sent = 0;
        var output = http.Response.BodyWriter;
        if (coding == ContentCoding.Identity)
        {
            // The head first, so that what follows is written where the server sends it from.
            await http.Response.StartAsync(http.RequestAborted);
            while (!body.IsWritten)
            {
                sent += await body.WriteAsync(output);
                await output.FlushAsync(http.RequestAborted);
            }
            state.BodyBytes = sent;
            return;
        }
        using var coded = new MemoryStream();
        await using var encoder = Negotiation.Encoder(coding, coded);
        var plain = new ArrayBufferWriter<byte>(PieceBytes);
        while (!body.IsWritten)
        {
            plain.ResetWrittenCount();
            await body.WriteAsync(plain);
            await encoder.WriteAsync(plain.WrittenMemory, http.RequestAborted);
            if (body.IsWritten)
            {
                // What the encoder still holds comes out when it is closed; the stream behind it stays open to be read.
                await encoder.DisposeAsync();
            }
            var piece = coded.ToArray();
            await output.WriteAsync(piece, http.RequestAborted);
            sent += piece.Length;
            coded.SetLength(0);
        }
        state.BodyBytes = sent;
    }
}
