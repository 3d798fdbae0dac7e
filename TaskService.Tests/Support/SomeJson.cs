using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace TaskService.Tests.Support;

/// <summary>JSON of all kinds, most of it close to a task.</summary>
internal static class SomeJson
{
    private static readonly string[] TaskMembers = ["title", "description", "priority", "completed", "due_date"];

    private static readonly Gen<string> Names = Gen.Frequency(
        (1, Gen.Elements(TaskMembers)),
        (1, Gen.Elements("", "Title", "due date", "a/b~c", "\ud83d\ude00", "__proto__", "$ref")));

    // Lengths on both sides of every limit, in characters that are one or two UTF-16 units.
    private static readonly Gen<string> Texts = Gen.Frequency(
        (6, Gen.Elements("t", "", "high", "none", "urgent", "High", "true", "1", "null", " ", "žluť \u2028 \"\\/\b")),
        (2, from unit in Gen.Elements("x", "ž")
            from length in Gen.Elements(999, 1_000, 1_001, 9_999, 10_000, 10_001)
            select string.Concat(Enumerable.Repeat(unit, length))),
        (1, from length in Gen.Elements(499, 500, 1_001, 4_999, 5_000, 10_001)
            select string.Concat(Enumerable.Repeat("\U0001F600", length))));

    private static readonly Gen<string> Numbers = Gen.OneOf(
        Gen.Choose(int.MinValue, int.MaxValue).Select(number => $"{number}"),
        Gen.Elements("0", "-0", "1.5", "1e2", "1E-7", "1663738852.123456", "-62135596800", "-62135596801",
            "253402300799", "253402300799.999", "253402300800", "253402300801",
            "1e300", "-1e300", "1e999", "12345678901234567890",
            "99999999999999999999999999999", "0.1e1"));

    /// <summary>Documents that are well-formed, if not always strict: members may repeat.</summary>
    public static Gen<string> Documents { get; } = Gen.Frequency(
        (9, Members(Value(2))),
        (1, Value(3)));

    private static Gen<string> Value(int depth)
    {
        var plain = Gen.Frequency(
            (5, Texts.Select(text => JsonSerializer.Serialize(text))),
            (4, Numbers),
            (3, Gen.Elements("true", "false", "null")));
        return depth == 0 ? plain : Gen.Frequency(
            (8, plain),
            (1, Value(depth - 1).ArrayOf().Select(items => $"[{string.Join(',', items.Take(3))}]")),
            (1, Members(Value(depth - 1))));
    }

    /// <summary>A few members, mostly each once, and mostly of the type that is right for its name.</summary>
    private static Gen<string> Members(Gen<string> value) =>
        from names in Gen.Shuffle(TaskMembers)
        from count in Gen.Choose(0, TaskMembers.Length)
        from strange in Gen.Frequency((5, Gen.Constant<string[]>([])), (1, Names.ArrayOf(1)))
        from members in Gen.CollectToList(names.Take(count).Concat(strange), name => Member(name, value))
        select $"{{{string.Join(',', members)}}}";

    private static Gen<string> Member(string name, Gen<string> value) =>
        from content in Gen.Frequency((4, RightFor(name)), (1, value))
        from space in Gen.Elements("", " ", "\n\t")
        select $"{space}{JsonSerializer.Serialize(name)}{space}:{space}{content}{space}";

    private static Gen<string> RightFor(string name) => name switch
    {
        "completed" => Gen.Elements("true", "false"),
        "due_date" => Numbers,
        "priority" => Gen.Elements("\"high\"", "\"none\"", "\"low\""),
        _ => Texts.Select(text => JsonSerializer.Serialize(text)),
    };
}
