using System.Buffers;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// The JSON of stored values of one type, encoded once and cached with each value: as a member of a list,
/// <c>"id":{…}</c>, whose end is the representation of the one value.
/// </summary>
/// <param name="write">Writes the content of a value as an object.</param>
internal sealed class Representation<T>(Action<T, Utf8JsonWriter> write)
    where T : class, IContent
{
    // Two quotes and a colon: an id needs no escapes.
    private const int AroundIdBytes = 3;

    /// <summary>As a member of an object, without commas.</summary>
    public byte[] Member(Stored<T> item) => item.CachedRepresentation switch
    {
        byte[] member => member,
        KnownResult result => result.Member,
        // Two threads that encode it at the same time make the same bytes.
        _ => Encode(item),
    };

    /// <summary>The result of a request for this value alone, made once and cached as well.</summary>
    public ApiResult Result(Stored<T> item)
    {
        if (item.CachedRepresentation is KnownResult known)
        {
            return known;
        }
        var member = Member(item);
        var result = new KnownResult(member)
        {
            Status = StatusCodes.Status200OK,
            Body = member.AsMemory(item.Id.Length + AroundIdBytes),
            Tag = Preconditions.TagOf(item.Version.Hash),
        };
        item.CachedRepresentation = result;
        return result;
    }

    private byte[] Encode(Stored<T> item)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        var writer = StrictJson.WriterTo(buffer);
        writer.WritePropertyName(item.Id);
        write(item.Value, writer);
        writer.Flush();
        var bytes = buffer.WrittenSpan.ToArray();
        item.CachedRepresentation = bytes;
        return bytes;
    }

    private sealed class KnownResult(byte[] member) : ApiResult
    {
        public byte[] Member => member;
    }
}
