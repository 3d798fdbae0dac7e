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
        Priority = Priorities[(int)task.Priority],
        Completed = task.Completed,
        DueDate = task.DueDate is { } due ? UnixSeconds.FromTime(due) : null,
    };

    /// <summary>The task, with defaults for what is not there.</summary>
    /// <remarks>Only for what <see cref="Read"/> gave: it has checked every rule.</remarks>
    public TaskEntry ToDomain() => new()
    {
        Title = Title!,
        Description = Description,
        Priority = Priority is null ? TaskPriority.None : (TaskPriority)Array.IndexOf(Priorities, Priority),
        Completed = Completed ?? false,
        DueDate = DueDate is { } due ? UnixSeconds.ToTime(due) : null,
    };

    /// <summary>Reads a document in one pass.</summary>
    /// <param name="document">UTF-8, RFC 8259.</param>
    /// <param name="violations">Gets everything that the schema forbids; the result is to be used only if there is
    /// nothing.</param>
    /// <exception cref="JsonException">It is not JSON, or JSON that systems read differently.</exception>
    public static TaskJson Read(ReadOnlySpan<byte> document, List<Violation> violations)
    {
        var reader = new Utf8JsonReader(document, StrictJson.ReaderOptions);
        var task = new TaskJson();
        StrictJson.CheckText(document);
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            task = ReadMembers(ref reader, violations);
        }
        else
        {
            violations.Add(new Violation("", "must be an object"));
            reader.Skip();
        }
        reader.Read();
        if (violations.Count > 0)
        {
            // What is refused was not looked at closely: it may not even be JSON.
            StrictJson.Check(document);
        }
        return task;
    }

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

    private static TaskJson ReadMembers(ref Utf8JsonReader reader, List<Violation> violations)
    {
        string? title = null, description = null, priority = null;
        bool? completed = null;
        double? dueDate = null;
        var titleGiven = false;
        var seen = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueIsEscaped)
            {
                // The comparisons below would not take half of a surrogate pair for an answer.
                StrictJson.Text(ref reader);
            }
            if (reader.ValueTextEquals(TitleName.EncodedUtf8Bytes))
            {
                Once(ref seen, 1, "title");
                titleGiven = true;
                title = ReadText(ref reader, "/title", TaskEntry.TitleProblem, violations);
            }
            else if (reader.ValueTextEquals(DescriptionName.EncodedUtf8Bytes))
            {
                Once(ref seen, 2, "description");
                description = ReadText(ref reader, "/description", TaskEntry.DescriptionProblem, violations);
            }
            else if (reader.ValueTextEquals(PriorityName.EncodedUtf8Bytes))
            {
                Once(ref seen, 4, "priority");
                priority = ReadText(ref reader, "/priority", PriorityProblem, violations);
            }
            else if (reader.ValueTextEquals(CompletedName.EncodedUtf8Bytes))
            {
                Once(ref seen, 8, "completed");
                completed = ReadFlag(ref reader, violations);
            }
            else if (reader.ValueTextEquals(DueDateName.EncodedUtf8Bytes))
            {
                Once(ref seen, 16, "due_date");
                dueDate = ReadDueDate(ref reader, violations);
            }
            else
            {
                Violate(violations, Violation.PointerTo(StrictJson.Text(ref reader)), "is not a known member");
                reader.Read();
                reader.Skip();
            }
        }
        if (!titleGiven)
        {
            Violate(violations, "/title", "is required");
        }
        return new TaskJson
        {
            Title = title,
            Description = description,
            Priority = priority,
            Completed = completed,
            DueDate = dueDate,
        };
    }

    private static void Once(ref int seen, int bit, string name)
    {
        if ((seen & bit) != 0)
        {
            throw new JsonException($"member \"{name}\" is repeated");
        }
        seen |= bit;
    }

    private static string? ReadText(
        ref Utf8JsonReader reader, string pointer, Func<string, string?> problemOf, List<Violation> violations)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.String)
        {
            return Refuse<string>(ref reader, pointer, "must be a string", violations);
        }
        var text = StrictJson.Text(ref reader);
        if (problemOf(text) is { } problem)
        {
            Violate(violations, pointer, problem);
        }
        return text;
    }

    private static bool? ReadFlag(ref Utf8JsonReader reader, List<Violation> violations)
    {
        reader.Read();
        if (reader.TokenType is JsonTokenType.True or JsonTokenType.False)
        {
            return reader.GetBoolean();
        }
        Refuse<string>(ref reader, "/completed", "must be true or false", violations);
        return null;
    }

    private static double? ReadDueDate(ref Utf8JsonReader reader, List<Violation> violations)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.Number)
        {
            Refuse<string>(ref reader, "/due_date", "must be a number", violations);
            return null;
        }
        var seconds = reader.GetDouble();
        if (UnixSeconds.ToTime(seconds) is null)
        {
            Violate(
                violations,
                "/due_date",
                $"must be at least {UnixSeconds.Min:F0} and below {UnixSeconds.MaxExclusive:F0}");
        }
        return seconds;
    }

    private static T? Refuse<T>(ref Utf8JsonReader reader, string pointer, string message, List<Violation> violations)
        where T : class
    {
        Violate(violations, pointer, message);
        reader.Skip();
        return null;
    }

    private static void Violate(List<Violation> violations, string pointer, string message)
    {
        if (violations.Count < Violation.ItemsMax)
        {
            violations.Add(new Violation(pointer, message));
        }
    }

    private static string? PriorityProblem(string text) =>
        Priorities.Contains(text) ? null : $"must be one of {string.Join(", ", Priorities)}";

    private static void WriteText(Utf8JsonWriter writer, JsonEncodedText name, string? text)
    {
        if (text is not null)
        {
            writer.WriteString(name, text);
        }
    }
}
