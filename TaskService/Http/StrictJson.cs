using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using TaskService.Domain;

namespace TaskService.Http;

/// <summary>
/// JSON as RFC 8259 has it and as every reader understands it alike: UTF-8 without byte order mark, no member twice
/// in an object, no U+0000 and no lone surrogate in any text, nesting up to 64.
/// </summary>
internal static class StrictJson
{
    /// <summary>
    /// Text as it is, with no more escapes than JSON needs: the content type says that it is not HTML.
    /// </summary>
    public static JsonWriterOptions WriterOptions { get; } =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private const int DepthMax = 64;

    [ThreadStatic]
    private static Utf8JsonWriter? threadWriter;

    public static JsonReaderOptions ReaderOptions { get; } = new() { MaxDepth = DepthMax };

    /// <summary>A writer for one document, which this thread uses again for the next one.</summary>
    public static Utf8JsonWriter WriterTo(IBufferWriter<byte> buffer)
    {
        threadWriter ??= new Utf8JsonWriter(buffer, WriterOptions);
        threadWriter.Reset(buffer);
        return threadWriter;
    }

    /// <exception cref="JsonException">The bytes are not UTF-8, which the reader itself sees only in texts that it
    /// decodes.</exception>
    public static void CheckText(ReadOnlySpan<byte> document)
    {
        if (document.IsEmpty)
        {
            throw new JsonException("the body is empty");
        }
        if (!Utf8.IsValid(document))
        {
            throw new JsonException("the body is not valid UTF-8");
        }
    }

    /// <summary>Decodes the string or name that the reader is at.</summary>
    /// <exception cref="JsonException">It holds U+0000 or a lone surrogate.</exception>
    public static string Text(ref Utf8JsonReader reader)
    {
        string text;
        try
        {
            text = reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // The framework's word for half of a surrogate pair in an escape.
            throw new JsonException("a string must not hold a lone surrogate");
        }
        return TextRule.CharacterProblem(text) is { } problem ? throw new JsonException($"a string {problem}") : text;
    }

    /// <summary>Looks at the whole document.</summary>
    /// <exception cref="JsonException">It is not strict JSON.</exception>
    public static void Check(ReadOnlySpan<byte> document)
    {
        CheckText(document);
        var reader = new Utf8JsonReader(document, ReaderOptions);
        var members = new Stack<HashSet<string>>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    members.Push(new HashSet<string>(StringComparer.Ordinal));
                    break;
                case JsonTokenType.EndObject:
                    members.Pop();
                    break;
                case JsonTokenType.PropertyName when Text(ref reader) is var name && !members.Peek().Add(name):
                    throw new JsonException($"member \"{name}\" is repeated");
                case JsonTokenType.String:
                    Text(ref reader);
                    break;
                default:
                    break;
            }
        }
    }
}
