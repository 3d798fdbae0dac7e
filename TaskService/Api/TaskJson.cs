using System.Text.Encodings.Web;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Api;

/// <summary>A task as clients see it: <c>schema/todoList-v1.0.json</c>. What is null is not there.</summary>
internal sealed record TaskJson
{
    private static readonly JsonEncodedText TitleName = JsonEncodedText.Encode("title");
    private static readonly JsonEncodedText DescriptionName = JsonEncodedText.Encode("description");
    private static readonly JsonEncodedText PriorityName = JsonEncodedText.Encode("priority");
    private static readonly JsonEncodedText CompletedName = JsonEncodedText.Encode("completed");
    private static readonly JsonEncodedText DueDateName = JsonEncodedText.Encode("due_date");

    // In the order of the enum.
    private static readonly string[] Priorities = ["urgent", "high", "normal", "low", "none"];

    /// <summary>
    /// Text as it is, with no more escapes than JSON needs: the content type says that it is not HTML.
    /// </summary>
    public static JsonWriterOptions WriterOptions { get; } =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>What a priority must be, in words that follow its name.</summary>
    public static string PriorityMessage { get; } = $"must be one of {string.Join(", ", Priorities)}";

    public string? Title { get; init; }

    public string? Description { get; init; }

    public string? Priority { get; init; }

    public bool? Completed { get; init; }

    /// <summary>Unix seconds.</summary>
    public double? DueDate { get; init; }

    public static TaskJson FromDomain(TaskEntry task) => new()
    {
        Title = task.Title,
        Description = task.Description,
        Priority = NameOf(task.Priority),
        Completed = task.Completed,
        DueDate = task.DueDate is { } due ? UnixSeconds.FromTime(due) : null,
    };

    /// <summary>The task, with defaults for what is not there.</summary>
    /// <remarks>Only for what <see cref="Read(ReadOnlySpan{byte}, List{Violation})"/> gave: it has checked every
    /// rule.</remarks>
    public TaskEntry ToDomain() => new()
    {
        Title = Title!,
        Description = Description,
        Priority = Priority is null ? TaskPriority.None : ParsePriority(Priority)!.Value,
        Completed = Completed ?? false,
        DueDate = DueDate is { } due ? UnixSeconds.ToTime(due) : null,
    };

    /// <returns>Null when there is no such priority.</returns>
    public static TaskPriority? ParsePriority(string text) =>
        Array.IndexOf(Priorities, text) is >= 0 and var index ? (TaskPriority)index : null;

    public static string NameOf(TaskPriority priority) => Priorities[(int)priority];

    /// <summary>Reads a document in one pass.</summary>
    /// <param name="document">UTF-8, RFC 8259.</param>
    /// <param name="violations">Gets everything that the schema forbids; the result is to be used only if there is
    /// nothing.</param>
    /// <exception cref="JsonException">It is not JSON, or JSON that systems read differently.</exception>
    public static TaskJson Read(ReadOnlySpan<byte> document, List<Violation> violations) =>
        Read(document, isPatch: false, violations).Given;

    /// <summary>Reads a merge patch: nothing is required, and null removes.</summary>
    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, List{Violation})"/>
    public static TaskPatch ReadPatch(ReadOnlySpan<byte> document, List<Violation> violations) =>
        Read(document, isPatch: true, violations);

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        WriteText(writer, PriorityName, Priority);
        WriteText(writer, TitleName, Title);
        WriteText(writer, DescriptionName, Description);
        if (Completed is { } completed)
        {
            writer.WriteBoolean(CompletedName, completed);
        }
        if (DueDate is { } due)
        {
            writer.WriteNumber(DueDateName, due);
        }
        writer.WriteEndObject();
    }

    private static TaskPatch Read(ReadOnlySpan<byte> document, bool isPatch, List<Violation> violations)
    {
        var reader = new Utf8JsonReader(document, StrictJson.ReaderOptions);
        var read = new TaskPatch(new TaskJson(), TaskMembers.None);
        StrictJson.CheckText(document);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            read = ReadMembers(ref reader, isPatch, violations);
        }
        else
        {
            violations.Add(new Violation("", "must be an object"));
            reader.Skip();
        }
        reader.Read();
        if (violations.Count > 0 || isPatch)
        {
            // What is refused or skipped was not looked at closely: it may not even be JSON.
            StrictJson.Check(document);
        }
        return read;
    }

    private static TaskPatch ReadMembers(ref Utf8JsonReader reader, bool isPatch, List<Violation> violations)
    {
        string? title = null, description = null, priority = null;
        bool? completed = null;
        double? dueDate = null;
        var (given, removed) = (TaskMembers.None, TaskMembers.None);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (member, pointer) = MemberAt(ref reader);
            if ((given & member) != 0)
            {
                throw new JsonException($"member \"{pointer[1..]}\" is repeated");
            }
            given |= member;
            reader.Read();
            if (isPatch && reader.TokenType == JsonTokenType.Null)
            {
                removed |= member;
                continue;
            }
            switch (member)
            {
                case TaskMembers.Title:
                    title = ReadText(ref reader, pointer, TaskEntry.TitleProblem, violations);
                    break;
                case TaskMembers.Description:
                    description = ReadText(ref reader, pointer, TaskEntry.DescriptionProblem, violations);
                    break;
                case TaskMembers.Priority:
                    priority = ReadText(ref reader, pointer, PriorityProblem, violations);
                    break;
                case TaskMembers.Completed:
                    completed = ReadFlag(ref reader, pointer, violations);
                    break;
                case TaskMembers.DueDate:
                    dueDate = ReadDueDate(ref reader, pointer, violations);
                    break;
                default:
                    Refuse(ref reader, pointer, "is not a known member", violations);
                    break;
            }
        }
        if (((isPatch ? ~removed : given) & TaskMembers.Title) == 0)
        {
            Violate(violations, "/title", "is required");
        }
        var task = new TaskJson
        {
            Title = title,
            Description = description,
            Priority = priority,
            Completed = completed,
            DueDate = dueDate,
        };
        return new TaskPatch(task, given);
    }

    private static (TaskMembers Member, string Pointer) MemberAt(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
        {
            // The comparisons below would not take half of a surrogate pair for an answer.
            StrictJson.Text(ref reader);
        }
        return reader.ValueTextEquals("title"u8) ? (TaskMembers.Title, "/title")
            : reader.ValueTextEquals("description"u8) ? (TaskMembers.Description, "/description")
            : reader.ValueTextEquals("priority"u8) ? (TaskMembers.Priority, "/priority")
            : reader.ValueTextEquals("completed"u8) ? (TaskMembers.Completed, "/completed")
            : reader.ValueTextEquals("due_date"u8) ? (TaskMembers.DueDate, "/due_date")
            : (TaskMembers.None, Violation.PointerTo(StrictJson.Text(ref reader)));
    }

    private static string? ReadText(
        ref Utf8JsonReader reader, string pointer, Func<string, string?> problemOf, List<Violation> violations)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            Refuse(ref reader, pointer, "must be a string", violations);
            return null;
        }
        var text = StrictJson.Text(ref reader);
        if (problemOf(text) is { } problem)
        {
            Violate(violations, pointer, problem);
        }
        return text;
    }

    private static bool? ReadFlag(ref Utf8JsonReader reader, string pointer, List<Violation> violations)
    {
        if (reader.TokenType is JsonTokenType.True or JsonTokenType.False)
        {
            return reader.GetBoolean();
        }
        Refuse(ref reader, pointer, "must be true or false", violations);
        return null;
    }

    private static double? ReadDueDate(ref Utf8JsonReader reader, string pointer, List<Violation> violations)
    {
        if (reader.TokenType != JsonTokenType.Number)
        {
            Refuse(ref reader, pointer, "must be a number", violations);
            return null;
        }
        var seconds = reader.GetDouble();
        if (UnixSeconds.ToTime(seconds) is null)
        {
            Violate(
                violations,
                pointer,
                $"must be at least {UnixSeconds.Min:F0} and below {UnixSeconds.MaxExclusive:F0}");
        }
        return seconds;
    }

    private static void Refuse(ref Utf8JsonReader reader, string pointer, string message, List<Violation> violations)
    {
        Violate(violations, pointer, message);
        reader.Skip();
    }

    private static void Violate(List<Violation> violations, string pointer, string message)
    {
        if (violations.Count < Violation.ItemsMax)
        {
            violations.Add(new Violation(pointer, message));
        }
    }

    private static string? PriorityProblem(string text) => ParsePriority(text) is null ? PriorityMessage : null;

    private static void WriteText(Utf8JsonWriter writer, JsonEncodedText name, string? text)
    {
        if (text is not null)
        {
            writer.WriteString(name, text);
        }
    }
}
