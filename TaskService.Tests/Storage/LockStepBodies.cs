using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskService.Domain;

namespace TaskService.Tests.Storage;

/// <summary>Makes bodies of requests at random, with what they mean.</summary>
internal sealed class LockStepBodies(Random random)
{
    public static readonly string[] Priorities = ["urgent", "high", "normal", "low", "none"];

    // Those that engines, encodings and SQL could take for something else.
    private static readonly string[] Texts =
    [
        "t", "T", " ", " t ", "é", "e\u0301", "žluť \u2028\u2029", "\U0001F600", "\U0001F468\u200d\U0001F469", "%",
        "_", "100%_", "*", "?", "'", "''", "\"", "\\", "\\'", "\\u0041", "'; DROP TABLE tasks; --", "$1", "@id", ":id",
        "null", "NULL", "true", "0", "1e5", "{\"a\":1}", "</script>", "\u0001\u001f\u007f", "\t\r\n", "\n", "\ufeff",
        "\uffff", "\ufffd", "\ud800\udc00", "\U0010FFFF", "\u202Eabc", "ß", "İı", "\u1e9e", "ﷺ", "\u3000",
    ];

    private static readonly string[] WrongTexts = ["\\ud800", "\\udc00x", "a\\u0000", "\\ud800\\ud800", "\\x"];

    // In pairs that lie next to each other, with more digits than are kept, and at both ends.
    private static readonly string[] Times =
    [
        "0", "-0", "1e-7", "-1e-7", "0.000001", "-0.000001", "0.0000014", "0.9999999", "1", "1.5", "-1.5", "1e2",
        "1663738852.123456", "1663738852.123457", "1663738852.1234564", "1663738852.1234567", "1663738852.12345678901",
        "2147483647", "2147483648", "4294967296.000001", "9999999999.999999", "-62135596800", "-62135596799.999999",
        "-62135596799.99", "-2208988800.000001", "253402300799", "253402300799.999", "253402300799.999969",
        "253402300799.99998", "253402214400.000001",
    ];

    private static readonly string[] WrongTimes =
        ["253402300800", "-62135596801", "1e300", "-1e300", "1e999", "\"0\"", "01", "1.", "true", "NaN"];

    private static readonly string[] OuterBounds = ["253402300800", "-62135596801", "1e300", "-1e300", "1e25"];

    private static readonly string[] Wrong =
    [
        "", " ", "{", "[]", "null", "\"t\"", "1", "{\"title\":\"t\"", "{\"title\":\"t\",}", "{\"title\":\"t\"} x",
        "{\"title\":\"t\",\"title\":\"t\"}", "{\"title\":1}", "{\"title\":null}", "{\"title\":\"\"}",
        "{\"Title\":\"t\"}",
        "\ufeff{\"title\":\"t\"}", "{title:\"t\"}", "{\"title\":\"t\",\"x\":{\"y\":[1,{}]}}",
        "{\"title\":\"t\",\"description\":[]}", "{\"title\":\"t\",\"completed\":\"true\"}",
        "{\"title\":\"t\",\"priority\":\"High\"}", "{\"title\":\"t\",\"priority\":0}",
        $"{{\"title\":\"t\",\"x\":{new string('[', 70)}{new string(']', 70)}}}",
    ];

    private static readonly JsonSerializerOptions Plain =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private enum Kind
    {
        Title,
        Description,
        Priority,
        Completed,
        Due,
    }

    /// <summary>For a create or a replacement.</summary>
    public LockStepBody Task() => Body(isPatch: false);

    /// <summary>A merge patch.</summary>
    public LockStepBody Patch() => Body(isPatch: true);

    /// <summary>What <c>due_before</c> can be: often a time that a task has.</summary>
    public string Bound() => random.Next(5) == 0 ? Any(OuterBounds) : Time();

    private LockStepBody Body(bool isPatch)
    {
        if (random.Next(12) == 0)
        {
            return new LockStepBody(Any(Wrong), null);
        }
        if (random.Next(150) == 0)
        {
            return new LockStepBody($"{{\"title\":\"{new string('t', 1_100_000)}\"}}", null) { Status = 413 };
        }
        var kinds = Enum.GetValues<Kind>()
            .Where(kind => (kind == Kind.Title && !isPatch) || random.Next(kind == Kind.Title ? 3 : 2) == 0).ToArray();
        random.Shuffle(kinds);
        var members = kinds.Select(kind => Member(kind, isPatch)).ToList();
        if (random.Next(15) == 0)
        {
            Kind[] candidates = [Kind.Due, .. kinds];
            var wrong = candidates[random.Next(candidates.Length)];
            var start = $"\"{NameOf(wrong)}\":";
            members.RemoveAll(member => member.Text.StartsWith(start, StringComparison.Ordinal));
            var value = wrong == Kind.Due ? Any(WrongTimes) : $"\"{Any(WrongTexts)}\"";
            members.Add(new LockStepBody(start + value, null));
        }
        var isRight = members.All(member => member.Change is not null);
        var space = Any(["", "", " ", "\n\t"]);
        var text = $"{{{space}{string.Join($",{space}", members.Select(member => member.Text))}{space}}}";
        return new LockStepBody(
            text, isRight ? task => members.Aggregate(task, (changed, member) => member.Change!(changed)) : null);
    }

    private LockStepBody Member(Kind kind, bool isPatch)
    {
        if (isPatch && kind != Kind.Title && random.Next(4) == 0)
        {
            return new LockStepBody($"\"{NameOf(kind)}\":null", Removal(kind));
        }
        switch (kind)
        {
            case Kind.Title:
                var title = Text(max: TaskEntry.TitleCharactersMax);
                return Of(kind, Json(title), title.Length > 0 && LengthOf(title) <= TaskEntry.TitleCharactersMax
                    ? task => task with { Title = title } : null);
            case Kind.Description:
                var description = random.Next(8) == 0 ? "" : Text(max: TaskEntry.DescriptionCharactersMax);
                return Of(kind, Json(description), LengthOf(description) <= TaskEntry.DescriptionCharactersMax
                    ? task => task with { Description = description } : null);
            case Kind.Priority:
                var priority = random.Next(Priorities.Length);
                return Of(kind, $"\"{Priorities[priority]}\"", task => task with { Priority = (TaskPriority)priority });
            case Kind.Completed:
                var completed = random.Next(2) == 0;
                return Of(kind, completed ? "true" : "false", task => task with { Completed = completed });
            default:
                var time = Time();
                var due = UnixSeconds.ToTime(double.Parse(time, CultureInfo.InvariantCulture));
                return Of(kind, time, task => task with { DueDate = due });
        }
    }

    private static LockStepBody Of(Kind kind, string json, Func<TaskEntry, TaskEntry>? change) =>
        new($"\"{NameOf(kind)}\":{json}", change);

    private static Func<TaskEntry, TaskEntry> Removal(Kind kind) => kind switch
    {
        Kind.Description => task => task with { Description = null },
        Kind.Priority => task => task with { Priority = TaskPriority.None },
        Kind.Completed => task => task with { Completed = false },
        _ => task => task with { DueDate = null },
    };

    private static string NameOf(Kind kind) => kind == Kind.Due ? "due_date" : $"{kind}".ToLowerInvariant();

    private static int LengthOf(string text) => text.EnumerateRunes().Count();

    private string Text(int max) => random.Next(20) switch
    {
        < 12 => Any(Texts),
        < 18 => string.Concat(Enumerable.Range(0, random.Next(1, 20)).Select(_ => Any(Texts))),
        // At the limit, or one more.
        _ => string.Concat(Enumerable.Repeat(Any(["x", "ž", "'", "\U0001F600"]), max + random.Next(-1, 2))),
    };

    private string Time() => random.Next(6) == 0
        ? (random.Next(-1_000_000_000, 2_000_000_000) + (random.Next(1_000_000) / 1e6))
            .ToString("R", CultureInfo.InvariantCulture)
        : Any(Times);

    /// <summary>As it is, or with an escape for every character that has one.</summary>
    private string Json(string text) => random.Next(2) == 0
        ? JsonSerializer.Serialize(text, Plain)
        : JsonSerializer.Serialize(text);

    private string Any(string[] items) => items[random.Next(items.Length)];
}
