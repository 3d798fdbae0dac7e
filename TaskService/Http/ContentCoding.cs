using System.IO.Compression;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace TaskService.Http;

/// <summary>How a body is coded on its way (RFC 9110 section 8.4).</summary>
internal enum ContentCoding
{
    Identity,
    Gzip,
    Brotli,
}

/// <summary>Chooses what a client can read, of what we have (RFC 9110 section 12).</summary>
internal static class Negotiation
{
    /// <summary>Smaller bodies are not worth it.</summary>
    public const int CodedBytesMin = 1_024;

    /// <summary>Whether the client takes JSON. A header that says nothing that can be read forbids nothing.</summary>
    public static bool AcceptsJson(StringValues accept)
    {
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out var ranges) || ranges.Count == 0)
        {
            return true;
        }
        // The most specific range that covers it decides.
        var (quality, specificity) = (0.0, 0);
        foreach (var range in ranges)
        {
            var rank = range.MatchesAllTypes ? 1
                : !range.Type.Equals("application", StringComparison.OrdinalIgnoreCase) ? 0
                : range.MatchesAllSubTypes ? 2
                : range.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) ? 3 : 0;
            if (rank > specificity || (rank == specificity && rank > 0 && (range.Quality ?? 1) > quality))
            {
                (quality, specificity) = (range.Quality ?? 1, rank);
            }
        }
        return quality > 0;
    }

    /// <summary>The coding for a body of this size; null when the client takes none that we have.</summary>
    /// <param name="acceptEncoding">The header of the request.</param>
    /// <param name="bytes">Its size, or null when it is not known but large.</param>
    public static ContentCoding? Choose(StringValues acceptEncoding, int? bytes)
    {
        if (acceptEncoding.Count == 0 || !StringWithQualityHeaderValue.TryParseList(acceptEncoding, out var given))
        {
            return ContentCoding.Identity;
        }
        var others = Weight(given, "*");
        var brotli = Weight(given, "br") ?? others ?? 0;
        var gzip = Weight(given, "gzip") ?? Weight(given, "x-gzip") ?? others ?? 0;
        // Not mentioned, it is acceptable, but less than what is.
        var identity = Weight(given, "identity") ?? (others == 0 ? 0 : double.Epsilon);
        var (best, weight) = brotli >= gzip ? (ContentCoding.Brotli, brotli) : (ContentCoding.Gzip, gzip);
        var worthIt = bytes is null or >= CodedBytesMin;
        return identity > 0 && (!worthIt || identity > weight || weight == 0) ? ContentCoding.Identity
            : weight > 0 ? best
            : null;
    }

    /// <summary>A stream that codes what is written to it.</summary>
    public static Stream Encoder(ContentCoding coding, Stream target) => coding == ContentCoding.Brotli
        ? new BrotliStream(target, CompressionLevel.Fastest, leaveOpen: true)
        : new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true);

    public static string Name(ContentCoding coding) => coding == ContentCoding.Brotli ? "br" : "gzip";

    private static double? Weight(IList<StringWithQualityHeaderValue> given, string coding)
    {
        foreach (var item in given)
        {
            if (item.Value.Equals(coding, StringComparison.OrdinalIgnoreCase))
            {
                return item.Quality ?? 1;
            }
        }
        return null;
    }
}
