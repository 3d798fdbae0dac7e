using System.Buffers.Binary;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using TaskService.Domain;

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
    public bool MatchAllows(string? tag) => ifMatch.Count == 0 || Lists(ifMatch, tag, strong: true) == true;

    /// <summary>Whether the client has this version already: <c>If-None-Match</c> names it.</summary>
    public bool ReaderHas(string? tag) => ifNoneMatch.Count > 0 && Lists(ifNoneMatch, tag, strong: false) == true;

    /// <summary>Whether a writer may change this version.</summary>
    public bool ChangeIsAllowed(string tag) =>
        MatchAllows(tag) && (ifNoneMatch.Count == 0 || Lists(ifNoneMatch, tag, strong: false) == false);

    /// <summary>Whether a change of a version is allowed by a request; null when it has no conditions.</summary>
    public static Predicate<ContentVersion>? OfChange(HttpRequest request)
    {
        var conditions = new Preconditions(request.Headers);
        return conditions.Any ? Of(conditions) : null;

        // Apart, so that there is no closure without conditions.
        static Predicate<ContentVersion> Of(Preconditions conditions) =>
            version => conditions.ChangeIsAllowed(TagOf(version.Hash));
    }

    /// <summary>The entity tag of a version, in its quotes.</summary>
    public static string TagOf(UInt128 version)
    {
        // By hand, since UInt128 has no fast way to hexadecimal digits.
        Span<byte> bytes = stackalloc byte[16];
        Span<char> digits = stackalloc char[32];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, version);
        Convert.TryToHexStringLower(bytes, digits, out _);
        return string.Concat("\"", digits, "\"");
    }

    /// <summary>The entity tag of a representation in a content coding (RFC 9110 section 8.8.3.3).</summary>
    public static string TagOf(string tag, ContentCoding coding) =>
        coding == ContentCoding.Identity ? tag : $"{tag.AsSpan(..^1)}-{Negotiation.Name(coding)}\"";

    /// <returns>
    /// Null for what is neither a list of tags nor one asterisk: no change is made then, and no reader has it.
    /// </returns>
    private static bool? Lists(StringValues header, string? tag, bool strong)
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
            if (tag is not null && !(strong && item.IsWeak) && IsSame(item.Tag.AsSpan(), tag))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a listed tag is this one, in whatever content coding.</summary>
    private static bool IsSame(ReadOnlySpan<char> listed, string tag)
    {
        var opaque = tag.AsSpan(..^1);
        return listed.StartsWith(opaque) && listed[opaque.Length..] is "\"" or "-gzip\"" or "-br\"";
    }
}
