using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace TaskService.Http;

/// <summary>
/// The id that ties together everything that is said about a request, here and in the services that it came through.
/// </summary>
internal sealed class RequestIds
{
    /// <summary>In which answers carry it.</summary>
    public const string Header = "X-Request-ID";

    private const int CharactersMax = 128;

    private static readonly string[] Headers = [Header, "X-Correlation-ID", "Request-ID", "X-Varnish"];

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=@:-");

    // A random prefix of the process and a counter: unique without a system call a request.
    private readonly string prefix = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private readonly string[] headers;
    private long counter = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));

    /// <param name="header">A header to look at before the usual ones; empty for none.</param>
    public RequestIds(string header) => headers = header.Length == 0 ? Headers : [header, .. Headers];

    /// <summary>
    /// The first acceptable id that the request brings, else a new one of 32 lower-case hexadecimal digits.
    /// </summary>
    public string For(IHeaderDictionary request)
    {
        foreach (var header in headers)
        {
            if (request.TryGetValue(header, out var values) && values is [{ } id, ..] && IsAcceptable(id))
            {
                return id;
            }
        }
        return string.Create(32, (prefix, Interlocked.Increment(ref counter)), static (digits, id) =>
        {
            Span<byte> bytes = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(bytes, id.Item2);
            id.prefix.CopyTo(digits);
            Convert.TryToHexStringLower(bytes, digits[id.prefix.Length..], out _);
        });
    }

    private static bool IsAcceptable(string id) =>
        id.Length is >= 1 and <= CharactersMax && !id.AsSpan().ContainsAnyExcept(Allowed);
}
