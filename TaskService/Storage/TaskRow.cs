using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>
/// A task as an engine keeps it: plain columns, and members of a file in the order that the tutorial's files have.
/// </summary>
internal sealed record TaskRow
{
    private const long DueMicrosecondsMin = (long)UnixSeconds.Min * 1_000_000;
    private const long DueMicrosecondsMaxExclusive = (long)UnixSeconds.MaxExclusive * 1_000_000;

    /// <summary>
    /// The columns of a table, behind the id, in the order of <see cref="Read"/>. Short ones come first, so that a
    /// filter need not read past the texts of rows that it excludes.
    /// </summary>
    public static IReadOnlyList<(string Name, DbType Type, Func<TaskRow, object?> Value)> Columns { get; } =
    [
        ("completed", DbType.Boolean, row => row.Completed),
        ("priority", DbType.String, row => row.Priority),
        ("due_date", DbType.Int64, row => row.DueDateMicroseconds),
        ("title", DbType.String, row => row.Title),
        ("description", DbType.String, row => row.Description),
    ];

    [JsonPropertyName("priority")]
    public string? Priority { get; init; }

    [JsonPropertyName("title")]
    public required string Title { get; init; }

    [JsonPropertyName("description")]
    public string? Description { get; init; }

    [JsonPropertyName("completed")]
    public bool Completed { get; init; }

    /// <summary>Microseconds since 1970; in a file, Unix seconds.</summary>
    [JsonPropertyName("due_date")]
    [JsonConverter(typeof(UnixSecondsConverter))]
    public long? DueDateMicroseconds { get; init; }

    public static TaskRow FromDomain(TaskEntry task) => new()
    {
        Priority = task.Priority.ToString().ToLowerInvariant(),
        Title = task.Title,
        Description = task.Description,
        Completed = task.Completed,
        DueDateMicroseconds = task.DueDate?.Subtract(DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond,
    };

    /// <summary>
    /// Rounds a bound up to microseconds: a task is due before <paramref name="time"/> exactly when its
    /// <see cref="DueDateMicroseconds"/> is below the result.
    /// </summary>
    public static long FirstMicrosecondFrom(DateTimeOffset time) =>
        ((time.UtcTicks + TimeSpan.TicksPerMicrosecond - 1) / TimeSpan.TicksPerMicrosecond)
        - (DateTimeOffset.UnixEpoch.UtcTicks / TimeSpan.TicksPerMicrosecond);

    /// <summary>Reads the columns, which begin at this ordinal.</summary>
    public static TaskRow Read(DbDataReader reader, int at) => new()
    {
        Completed = reader.GetBoolean(at),
        Priority = reader.IsDBNull(at + 1) ? null : reader.GetString(at + 1),
        DueDateMicroseconds = reader.IsDBNull(at + 2) ? null : reader.GetInt64(at + 2),
        Title = reader.GetString(at + 3),
        Description = reader.IsDBNull(at + 4) ? null : reader.GetString(at + 4),
    };

    /// <returns>False, with the reason, when the row breaks a rule of the domain: another program wrote it.</returns>
    public bool TryToDomain([NotNullWhen(true)] out TaskEntry? task, [NotNullWhen(false)] out string? problem)
    {
        task = null;
        var priority = TaskPriority.None;
        problem = TaskEntry.TitleProblem(Title) is { } title ? $"title {title}"
            : Description is not null && TaskEntry.DescriptionProblem(Description) is { } text ? $"description {text}"
            : Priority is not null && !TryPriority(Priority, out priority) ? "priority is not known"
            : DueDateMicroseconds is < DueMicrosecondsMin or >= DueMicrosecondsMaxExclusive
                ? "due_date is not in the years 1 to 9999"
            : null;
        if (problem is not null)
        {
            return false;
        }
        task = new TaskEntry
        {
            Title = Title,
            Description = Description,
            Priority = priority,
            Completed = Completed,
            DueDate = DueDateMicroseconds is { } due
                ? DateTimeOffset.UnixEpoch.AddTicks(due * TimeSpan.TicksPerMicrosecond) : null,
        };
        return true;
    }

    // Enum.TryParse takes numbers, lists and any case.
    private static bool TryPriority(string text, out TaskPriority priority) =>
        Enum.TryParse(text, ignoreCase: true, out priority)
        && string.Equals(priority.ToString(), text, StringComparison.OrdinalIgnoreCase)
        && !text.AsSpan().ContainsAnyInRange('A', 'Z');

    internal sealed class UnixSecondsConverter : JsonConverter<long?>
    {
        public override long? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var seconds = reader.GetDouble();
            return UnixSeconds.TryToMicroseconds(seconds, out var microseconds)
                ? microseconds
                : throw new JsonException("due_date is not in the years 1 to 9999");
        }

        public override void Write(Utf8JsonWriter writer, long? value, JsonSerializerOptions options)
        {
            if (value is { } microseconds)
            {
                writer.WriteNumberValue(UnixSeconds.FromMicroseconds(microseconds));
            }
            else
            {
                writer.WriteNullValue();
            }
        }
    }
}

/// <summary>JSON options of a task file: written readably, read strictly.</summary>
[JsonSerializable(typeof(TaskRow))]
internal sealed partial class TaskRowJson : JsonSerializerContext
{
    public static TaskRowJson File { get; } = new(new JsonSerializerOptions
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
