using System.Security.Cryptography;
using System.Text;

namespace TaskService.Http;

/// <summary>A secret of a client: <c>X-API-Key: SECRET</c> or <c>Authorization: Bearer SECRET</c> (RFC 6750).</summary>
internal static class RequestSecret
{
    private const string KeyHeader = "X-API-Key";
    private const string BearerPrefix = "Bearer ";

    /// <summary>As it was sent; null when there is none.</summary>
    public static string? Of(IHeaderDictionary headers)
    {
        if (headers[KeyHeader] is [{ Length: > 0 } key, ..])
        {
            return key;
        }
        return headers.Authorization is [{ } value, ..]
            && value.StartsWith(BearerPrefix, StringComparison.OrdinalIgnoreCase)
                ? value[BearerPrefix.Length..].Trim()
                : null;
    }

    /// <summary>By which it is compared with others. The server gives the bytes of a header as Latin-1.</summary>
    public static byte[] HashOf(string secret) => SHA256.HashData(Encoding.Latin1.GetBytes(secret));
}
