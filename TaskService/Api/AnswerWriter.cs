using System.Buffers;
using System.Text.Json;
using TaskService.Telemetry;

namespace TaskService.Api;

/// <summary>
/// Sends answers: the one place for the headers that all of them share, for problem bodies and for streaming.
/// </summary>
/// <param name="debug">Whether error bodies carry <c>trace</c>.</param>
internal sealed class AnswerWriter(bool debug)
{
    /// <summary>A list up to this size is sent whole, with its length; a longer one in pieces of this size.</summary>
    private const int WholeBytesMax = 64 * 1024;

    /// <returns>How many bytes of the body were handed to the server.</returns>
    public async ValueTask<long> WriteAsync(
        HttpContext http, Answer answer, Operation operation, RequestTarget target, Exception? exception)
    {
        var response = http.Response;
        if (answer.IsSent)
        {
            return response.ContentLength ?? 0;
        }
        response.StatusCode = answer.Status;
        var headers = response.Headers;
        headers.CacheControl = "no-cache";
        if (answer.Problem is { } problem)
        {
            var trace = debug ? exception?.ToString() : null;
            answer = answer with
            {
                ContentType = Problem.ContentType,
                Body = problem.ToJson(http.Request.Method, target.Path, operation.Id, trace),
            };
        }
        if (answer.Location is not null)
        {
            headers.Location = answer.Location;
        }
        if (answer.Allow is not null)
        {
            headers.Allow = answer.Allow;
        }
        if (answer.Version is { } version)
        {
            headers.ETag = $"\"{version}\"";
        }
        if (answer.ContentType is not null)
        {
            headers.ContentType = answer.ContentType;
        }
        return answer.Tasks is null
            ? await WriteBodyAsync(http, answer.Status, answer.Body)
            : await WriteTasksAsync(http, answer);
    }

    private static async ValueTask<long> WriteBodyAsync(HttpContext http, int status, ReadOnlyMemory<byte> body)
    {
        if (status != StatusCodes.Status204NoContent)
        {
            http.Response.ContentLength = body.Length;
        }
        if (body.IsEmpty || HttpMethods.IsHead(http.Request.Method))
        {
            return 0;
        }
        await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
        return body.Length;
    }

    private static async ValueTask<long> WriteTasksAsync(HttpContext http, Answer answer)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var writer = new Utf8JsonWriter(buffer, TaskJson.WriterOptions);
        long sent = 0;
        writer.WriteStartObject();
        await foreach (var task in answer.Tasks!)
        {
            writer.WritePropertyName(task.Id);
            TaskJson.FromDomain(task.Entry).Write(writer);
            if (buffer.WrittenCount + writer.BytesPending >= WholeBytesMax)
            {
                await writer.FlushAsync(http.RequestAborted);
                if (HttpMethods.IsHead(http.Request.Method))
                {
                    return 0;
                }
                sent += buffer.WrittenCount;
                await http.Response.BodyWriter.WriteAsync(buffer.WrittenMemory, http.RequestAborted);
                buffer.ResetWrittenCount();
            }
        }
        writer.WriteEndObject();
        await writer.FlushAsync(http.RequestAborted);
        if (sent == 0)
        {
            return await WriteBodyAsync(http, answer.Status, buffer.WrittenMemory);
        }
        await http.Response.BodyWriter.WriteAsync(buffer.WrittenMemory, http.RequestAborted);
        return sent + buffer.WrittenCount;
    }
}
