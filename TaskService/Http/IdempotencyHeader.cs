using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>The header of a request that makes a retry safe: <c>Idempotency-Key</c> (draft-ietf-httpapi).</summary>
internal static class IdempotencyHeader
{
    public const string Name = "Idempotency-Key";

    /// <param name="request">May have one.</param>
    /// <param name="body">Of the request, decoded.</param>
    /// <param name="key">Null when there is none.</param>
    /// <param name="problem">What is wrong with it; null when nothing is.</param>
    public static bool TryRead(
        HttpRequest request, byte[] body, out IdempotencyKey? key, [NotNullWhen(false)] out Problem? problem)
    {
        (key, problem) = (null, null);
        if (request.Headers.TryGetValue(Name, out var given))
        {
            if (KeyIn(given) is not { } text)
            {
                problem = Problem.InvalidIdempotencyKey;
                return false;
            }
            key = new IdempotencyKey(text, BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(body)));
        }
        return true;
    }

    /// <summary>The key in a header, without the quotes that it may have; null when it is none, or when there are
    /// several.</summary>
    private static string? KeyIn(StringValues lines)
    {
        var header = lines is [{ } only] ? only : "";
        var isQuoted = header is ['"', .., '"'];
        var key = isQuoted ? header[1..^1] : header;
        // Half a quoted string, or one with something behind it, is neither form.
        var isWhole = isQuoted ? !key.Contains('"', StringComparison.Ordinal) : key is not (['"', ..] or [.., '"']);
        return isWhole
            && key.Length is >= 1 and <= IdempotencyKey.CharactersMax && key.All(c => c is > ' ' and < '\x7f')
            ? key
            : null;
    }
}
