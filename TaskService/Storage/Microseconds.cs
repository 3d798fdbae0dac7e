using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>Times in rows: microseconds since 1970, in the years 1 to 9999.</summary>
internal static class Microseconds
{
    private const long Min = (long)UnixSeconds.Min * 1_000_000;
    private const long MaxExclusive = (long)UnixSeconds.MaxExclusive * 1_000_000;

    public static long FromTime(DateTimeOffset time) =>
        (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset ToTime(long microseconds) =>
        DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    /// <summary>Validates a time of a row: the problem, in words that follow the name of the column; null for none.
    /// </summary>
    public static string? Problem(long? microseconds) =>
        microseconds is < Min or >= MaxExclusive ? "is not in the years 1 to 9999" : null;

    /// <summary>
    /// Rounds a bound up: a time in whole microseconds is before <paramref name="time"/> exactly when it is below the
    /// result.
    /// </summary>
    public static long FirstFrom(DateTimeOffset time) =>
        ((time.UtcTicks + TimeSpan.TicksPerMicrosecond - 1) / TimeSpan.TicksPerMicrosecond)
        - (DateTimeOffset.UnixEpoch.UtcTicks / TimeSpan.TicksPerMicrosecond);
}

/// <summary>Microseconds of a row as Unix seconds in a file.</summary>
internal sealed class UnixSecondsConverter : JsonConverter<long>
{
    public override long Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        UnixSeconds.TryToMicroseconds(reader.GetDouble(), out var microseconds)
            ? microseconds
            : throw new JsonException("a time is not in the years 1 to 9999");

    public override void Write(Utf8JsonWriter writer, long value, JsonSerializerOptions options) =>
        writer.WriteNumberValue(UnixSeconds.FromMicroseconds(value));
}

/// <summary>JSON options of a file that holds a row: written readably, read strictly.</summary>
internal static class RowFile
{
    /// <returns>New ones: a serializer context owns its options.</returns>
    public static JsonSerializerOptions Options() => new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
