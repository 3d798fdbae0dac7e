using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace TaskService.Api;

/// <summary>
/// Reads request bodies under a limit of our own: the server's closes the connection on who is still sending.
/// </summary>
internal static class RequestBody
{
    public const int BytesMax = 1024 * 1024;

    /// <returns>The whole body, or null when it is too large.</returns>
    /// <exception cref="BadHttpRequestException">Its framing is broken.</exception>
    public static async ValueTask<byte[]?> ReadAsync(HttpRequest request, CancellationToken cancel)
    {
        if (request.ContentLength > BytesMax)
        {
            return null;
        }
        var reader = request.BodyReader;
        while (true)
        {
            ReadResult read;
            try
            {
                read = await reader.ReadAsync(cancel);
            }
            catch (Exception error) when (error is OverflowException or IOException and not ConnectionResetException)
            {
                // How an oversized chunk length surfaces; what the server itself recognises comes as
                // BadHttpRequestException.
                throw error as BadHttpRequestException
                    ?? new BadHttpRequestException("The body is not framed correctly", error);
            }
            if (read.Buffer.Length > BytesMax)
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
}
