using System.Buffers;
using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>
/// The JSON of a stored task, encoded once and cached with it: as a member of a list, <c>"id":{…}</c>, whose end is
/// the representation of the one task.
/// </summary>
internal static class EncodedTask
{
    // Two quotes and a colon: an id needs no escapes.
    private const int AroundIdBytes = 3;

    [ThreadStatic]
    private static Utf8JsonWriter? threadWriter;

    /// <summary>As a member of an object, without commas.</summary>
    public static byte[] Member(Stored<TaskEntry> task) => task.CachedRepresentation switch
    {
        byte[] member => member,
        KnownResult result => result.Member,
        // Two threads that encode it at the same time make the same bytes.
        _ => Encode(task),
    };

    /// <summary>The result of a request for this task alone, made once and cached as well.</summary>
    public static ApiResult Result(Stored<TaskEntry> task)
    {
        if (task.CachedRepresentation is KnownResult known)
        {
            return known;
        }
        var member = Member(task);
        var result = new KnownResult(member)
        {
            Status = StatusCodes.Status200OK,
            Body = member.AsMemory(task.Id.Length + AroundIdBytes),
            Tag = Preconditions.TagOf(task.Version.Hash),
        };
        task.CachedRepresentation = result;
        return result;
    }

    private static byte[] Encode(Stored<TaskEntry> task)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        var writer = threadWriter ??= new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        writer.Reset(buffer);
        writer.WritePropertyName(task.Id);
        TaskJson.FromDomain(task.Value).Write(writer);
        writer.Flush();
        var bytes = buffer.WrittenSpan.ToArray();
        task.CachedRepresentation = bytes;
        return bytes;
    }

    private sealed class KnownResult(byte[] member) : ApiResult
    {
        public byte[] Member => member;
    }
}
