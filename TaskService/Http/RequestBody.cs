using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace TaskService.Http;

/// <summary>
/// Reads request bodies: JSON, as it is or gzipped, under a limit of our own, since the server's limit closes the
/// connection of a client that is still sending.
/// </summary>
internal static class RequestBody
{
    public const string MergePatch = "application/merge-patch+json";

    // Of a body that is refused; beyond, the connection is reset.
    private const long DrainedBytesMax = 256L * 1024 * 1024;
    private const string Json = "application/json";
    private const string Form = "application/x-www-form-urlencoded";
    private const int GzipTrailerBytes = 8;

    /// <summary>Reads the whole body as a model.</summary>
    /// <param name="http">The request.</param>
    /// <param name="bytesMax">As sent, and after decoding.</param>
    /// <param name="members">Of the model.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The model and the body after decoding, or why it is refused.</returns>
    /// <exception cref="BadHttpRequestException">Its framing is broken.</exception>
    public static async ValueTask<(TModel? Model, byte[]? Body, Problem? Problem)> ReadAsync<TModel>(
        HttpContext http,
        int bytesMax,
        JsonMembers<TModel> members,
        CancellationToken cancel)
        where TModel : class
    {
        var (body, problem) = await ReadAsync(http.Request, bytesMax, isPatch: false, cancel);
        var model = problem is null
            ? Parse(body!, members, static (members, text, into) => members.Read(text, into), out problem) : null;
        return (model, body, problem);
    }

    /// <summary>Reads the whole body as a merge patch (RFC 7396).</summary>
    /// <inheritdoc cref="ReadAsync{TModel}" path="/param|/exception"/>
    /// <returns>The patch, or why it is refused.</returns>
    public static async ValueTask<(JsonPatch<TModel>? Patch, Problem? Problem)> ReadPatchAsync<TModel>(
        HttpContext http, int bytesMax, JsonMembers<TModel> members, CancellationToken cancel)
        where TModel : class
    {
        var (body, problem) = await ReadAsync(http.Request, bytesMax, isPatch: true, cancel);
        var patch = problem is null
            ? Parse(body!, members, static (members, text, into) => members.ReadPatch(text, into), out problem) : null;
        if (problem?.Status == StatusCodes.Status415UnsupportedMediaType)
        {
            http.Response.Headers["Accept-Patch"] = MergePatch;
        }
        return (patch, problem);
    }

    /// <summary>Reads the whole body.</summary>
    /// <param name="request">Its head is checked first.</param>
    /// <param name="bytesMax">As sent, and after decoding.</param>
    /// <param name="isPatch">Whether a merge patch may be sent, too.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The body after decoding, or why it is refused.</returns>
    /// <exception cref="BadHttpRequestException">Its framing is broken.</exception>
    public static async ValueTask<(byte[]? Body, Problem? Problem)> ReadAsync(
        HttpRequest request, int bytesMax, bool isPatch, CancellationToken cancel)
    {
        if (!IsJson(request.Headers, isPatch))
        {
            var allowed = isPatch ? $"{MergePatch} or {Json}" : Json;
            return (null, Problem.UnsupportedMediaType($"The Content-Type must be {allowed}, in UTF-8."));
        }
        var coding = request.Headers.ContentEncoding.ToString();
        var isGzip = coding.ToUpperInvariant() is "GZIP" or "X-GZIP";
        if (!isGzip && coding.Length > 0 && !coding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            return (null, Problem.UnsupportedMediaType("The Content-Encoding must be gzip, or none."));
        }
        if (request.ContentLength > bytesMax || await ReadRawAsync(request, bytesMax, cancel) is not { } raw)
        {
            return (null, TooLarge(bytesMax));
        }
        return isGzip ? Decode(raw, bytesMax) : (raw, null);
    }

    /// <summary>
    /// Reads and discards the rest of a body. A connection that is closed with unread data is reset, and a client that
    /// is still sending would not see the response.
    /// </summary>
    public static async ValueTask DrainAsync(HttpRequest request, CancellationToken cancel)
    {
        try
        {
            // The response first: a client that waits for 100 Continue (RFC 9110 section 10.1.1) must not send a body.
            await request.HttpContext.Response.StartAsync(cancel);
            for (long drained = 0; drained < DrainedBytesMax;)
            {
                var read = await request.BodyReader.ReadAsync(cancel);
                drained += read.Buffer.Length;
                request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or OverflowException)
        {
            // It was answered already; how it goes on is of no interest.
        }
    }

    private static TResult? Parse<TModel, TResult>(
        byte[] body,
        JsonMembers<TModel> members,
        Func<JsonMembers<TModel>, ReadOnlySpan<byte>, List<Violation>, TResult> read,
        out Problem? problem)
        where TModel : class
        where TResult : class
    {
        var violations = new List<Violation>();
        try
        {
            var result = read(members, body, violations);
            problem = violations.Count == 0 ? null : Problem.InvalidBody(violations);
            return result;
        }
        catch (JsonException error)
        {
            problem = Problem.InvalidJson(error.Message);
            return null;
        }
    }

    private static Problem TooLarge(int bytesMax)
    {
        RequestLimits.CountHit("body-bytes-max");
        return Problem.ContentTooLarge(bytesMax);
    }

    /// <summary>
    /// Whether each Content-Type is JSON, or there is none. The default of curl (a form) is read as JSON as well, but
    /// never from a page in a browser, which may send a form to any origin without a preflight.
    /// </summary>
    private static bool IsJson(IHeaderDictionary headers, bool isPatch)
    {
        var given = headers.ContentType;
        if (StringValues.IsNullOrEmpty(given) || given is [Json])
        {
            return true;
        }
        var isForm = !headers.ContainsKey(HeaderNames.Origin) && !headers.ContainsKey("Sec-Fetch-Site");
        return MediaTypeHeaderValue.TryParseStrictList(given, out var types) && types.All(type => IsUtf8(type)
            && (type.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase)
                || (isPatch && type.MediaType.Equals(MergePatch, StringComparison.OrdinalIgnoreCase))
                || (isForm && type.MediaType.Equals(Form, StringComparison.OrdinalIgnoreCase))));
    }

    /// <summary>JSON has no charset (RFC 8259 section 11), but one that says what it is anyway does no harm.</summary>
    private static bool IsUtf8(MediaTypeHeaderValue type) =>
        !type.Charset.HasValue
        || HeaderUtilities.RemoveQuotes(type.Charset).ToString().ToUpperInvariant() is "UTF-8" or "UTF8" or "US-ASCII";

    /// <returns>Null when it is too large.</returns>
    private static async ValueTask<byte[]?> ReadRawAsync(HttpRequest request, int bytesMax, CancellationToken cancel)
    {
        var reader = request.BodyReader;
        // Whatever is done with the reader can find that the client has gone, advancing as well.
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(cancel);
                if (read.Buffer.Length > bytesMax)
                {
                    reader.AdvanceTo(read.Buffer.End);
                    return null;
                }
                if (read.IsCompleted)
                {
                    var body = read.Buffer.ToArray();
                    reader.AdvanceTo(read.Buffer.End);
                    return body;
                }
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }
        catch (OperationCanceledException error)
        {
            throw new BadHttpRequestException(
                "The body did not arrive in time", StatusCodes.Status408RequestTimeout, error);
        }
        catch (BadHttpRequestException error)
            when (error.StatusCode == StatusCodes.Status400BadRequest && request.ContentLength is not null)
        {
            // With a length there is no framing to get wrong: the client ended before its body did.
            throw new ConnectionResetException("The client closed the connection within its body", error);
        }
        catch (IOException error)
            when (error is not BadHttpRequestException && !HttpProtocol.IsHttp11(request.Protocol))
        {
            // The streams of HTTP/2 have no framing of their own to get wrong either.
            throw new ConnectionResetException("The client ended the stream within its body", error);
        }
        catch (Exception error) when (error is OverflowException or IOException and not ConnectionResetException)
        {
            // How an oversized chunk length surfaces; what the server itself recognises is of the right type already.
            throw error as BadHttpRequestException
                ?? new BadHttpRequestException("The body is not framed correctly", error);
        }
    }

    /// <summary>
    /// Decodes until the limit, and no further: what would become gigabytes is refused at the first mebibyte.
    /// </summary>
    private static (byte[]? Body, Problem? Problem) Decode(byte[] coded, int bytesMax)
    {
        using var decoded = new MemoryStream();
        try
        {
            using var gzip = new GZipStream(new MemoryStream(coded), CompressionMode.Decompress);
            var piece = new byte[16 * 1024];
            for (var length = gzip.Read(piece); length > 0; length = gzip.Read(piece))
            {
                if (decoded.Length + length > bytesMax)
                {
                    return (null, TooLarge(bytesMax));
                }
                decoded.Write(piece.AsSpan(0, length));
            }
        }
        catch (InvalidDataException)
        {
            return (null, Problem.InvalidJson("the body is not valid gzip"));
        }
        // The framework does not miss a trailer that was cut off, nor mind what comes behind it.
        var body = decoded.ToArray();
        // RFC 1952 section 2.3.1: the CRC-32 of what was coded, and its length.
        var trailer = coded.AsSpan(Math.Max(0, coded.Length - GzipTrailerBytes));
        var whole = coded.Length > GzipTrailerBytes
            && BinaryPrimitives.ReadUInt32LittleEndian(trailer) == Crc32.HashToUInt32(body)
            && BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]) == body.Length;
        return whole
            ? (body, null)
            : (null, Problem.InvalidJson("the gzip body is cut off, or has more than one member"));
    }
}
