using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace TaskService.Http;

/// <summary>
/// The conditional headers of a request (RFC 9110 section 13). They are evaluated last, so that an absent resource is
/// 404 whatever they say.
/// </summary>
internal readonly struct Preconditions(IHeaderDictionary headers)
{
    private readonly StringValues ifMatch = headers.IfMatch;
    private readonly StringValues ifNoneMatch = headers.IfNoneMatch;

    public bool Any => ifMatch.Count > 0 || ifNoneMatch.Count > 0;

    /// <summary>
    /// Whether <c>If-Match</c> allows this version: it is listed, or any is (<c>*</c>), or there is no such header.
    /// </summary>
    public bool MatchAllows(UInt128? tag) => ifMatch.Count == 0 || Lists(ifMatch, tag, strong: true) == true;

    /// <summary>Whether the client has this version already: <c>If-None-Match</c> names it.</summary>
    public bool ReaderHas(UInt128? tag) => ifNoneMatch.Count > 0 && Lists(ifNoneMatch, tag, strong: false) == true;

    /// <summary>Whether a writer may change this version.</summary>
    public bool ChangeIsAllowed(UInt128 tag) =>
        MatchAllows(tag) && (ifNoneMatch.Count == 0 || Lists(ifNoneMatch, tag, strong: false) == false);

    /// <summary>
    /// The tag of a representation: of the version, and of the coding if it has one (RFC 9110 section 8.8.3.3).
    /// </summary>
    public static string Format(UInt128 tag, ContentCoding coding)
    {
        // By hand, since UInt128 has no fast way to hexadecimal digits.
        Span<byte> bytes = stackalloc byte[16];
        Span<char> digits = stackalloc char[32];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, tag);
        Convert.TryToHexStringLower(bytes, digits, out _);
        return coding switch
        {
            ContentCoding.Gzip => $"\"{digits}-gzip\"",
            ContentCoding.Brotli => $"\"{digits}-br\"",
            _ => string.Concat("\"", digits, "\""),
        };
    }

    /// <returns>
    /// Null for what is neither a list of tags nor one asterisk: no change is made then, and no reader has it.
    /// </returns>
    private static bool? Lists(StringValues header, UInt128? tag, bool strong)
    {
        if (!EntityTagHeaderValue.TryParseStrictList(header, out var listed))
        {
            // A list may be empty, which the parser does not know.
            return header.All(string.IsNullOrWhiteSpace) ? false : null;
        }
        if (listed.Contains(EntityTagHeaderValue.Any))
        {
            return listed.Count == 1 ? true : null;
        }
        foreach (var item in listed)
        {
            if (tag is { } version && !(strong && item.IsWeak) && VersionOf(item.Tag.AsSpan()) == version)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>The version that a tag stands for, in whatever coding; null when it is none of ours.</summary>
    private static UInt128? VersionOf(ReadOnlySpan<char> tag)
    {
        const int digits = 32;
        var inside = tag[1..^1];
        return inside.Length >= digits && inside[digits..] is "" or "-gzip" or "-br"
            && !inside[..digits].ContainsAnyInRange('A', 'F')
            && UInt128.TryParse(
                inside[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var found)
            ? found
            : null;
    }
}
