using System.Buffers;
using System.Text.Json;
using TaskService.Domain;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>
/// The JSON of a stored task, made once and kept with it: as a member of a list, <c>"id":{…}</c>, whose end is what a
/// read of the one task answers.
/// </summary>
internal static class EncodedTask
{
    // Two quotes and a colon: an id needs no escapes.
    private const int AroundIdBytes = 3;

    [ThreadStatic]
    private static Utf8JsonWriter? threadWriter;

    /// <summary>As a member of an object, without commas.</summary>
    public static byte[] Member(StoredTask task)
    {
        // Who comes at the same time makes the same bytes.
        return task.Made as byte[] ?? Encode(task);
    }

    /// <summary>As a document of its own.</summary>
    public static ReadOnlyMemory<byte> Document(StoredTask task) =>
        Member(task).AsMemory(task.Id.Length + AroundIdBytes);

    private static byte[] Encode(StoredTask task)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        var writer = threadWriter ??= new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        writer.Reset(buffer);
        writer.WritePropertyName(task.Id);
        TaskJson.FromDomain(task.Entry).Write(writer);
        writer.Flush();
        var bytes = buffer.WrittenSpan.ToArray();
        task.Made = bytes;
        return bytes;
    }
}
