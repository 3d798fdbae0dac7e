using FsCheck;
using FsCheck.Fluent;
using TaskService.Domain;
using TaskService.Tasks;

namespace TaskService.Tests.Support;

/// <summary>Things to test with.</summary>
internal static class Some
{
    public const string TaskJson = """{"title":"Task1"}""";

    private static readonly IdGenerator Ids = new(TimeProvider.System);

    /// <summary>Every valid form of a task that clients can send.</summary>
    public static Gen<TaskJson> TaskJsons { get; } =
        from title in Text(1, TaskEntry.TitleCharactersMax)
        from description in OrNull(Text(0, TaskEntry.DescriptionCharactersMax))
        from priority in OrNull(Gen.Elements("urgent", "high", "normal", "low", "none"))
        from completed in Gen.Elements<bool?>(null, true, false)
        from due in DueDates
        select new TaskJson
        {
            Title = title,
            Description = description,
            Priority = priority,
            Completed = completed,
            DueDate = due,
        };

    public static Gen<double?> DueDates { get; } = Gen.OneOf(
        Gen.Constant<double?>(null),
        Gen.Choose(int.MinValue, int.MaxValue).Select(seconds => (double?)seconds),
        Gen.Choose(0, int.MaxValue).Select(part => (double?)(part / 997.0)),
        Gen.Choose(0, int.MaxValue)
            .Select(part => part / (int.MaxValue + 1.0))
            .Select(part => (double?)(UnixSeconds.Min + ((UnixSeconds.MaxExclusive - UnixSeconds.Min) * part))),
        Gen.Elements<double?>(
            UnixSeconds.Min, Math.BitDecrement(UnixSeconds.MaxExclusive), -0.0, 0.1, 1e-7, -1e-7, 0.9999999));

    public static Stored<TaskEntry> Task(string? id = null, string title = "Task1", bool completed = false) =>
        new(id ?? Ids.Next(), new TaskEntry { Title = title, Completed = completed });

    private static Gen<T?> OrNull<T>(Gen<T> values)
        where T : class => Gen.OneOf(Gen.Constant<T?>(null), values.Select(value => (T?)value));

    private static Gen<string> Text(int min, int max) =>
        from length in Gen.Frequency((8, Gen.Choose(min, Math.Min(max, 20))), (1, Gen.Elements(min, max)))
        from runes in Rune.ArrayOf(length)
        select string.Concat(runes.Select(rune => rune.ToString()));

    private static Gen<System.Text.Rune> Rune { get; } = Gen.OneOf(
        Gen.Choose(1, 0x7f), Gen.Choose(0x80, 0xd7ff), Gen.Choose(0xe000, 0xffff), Gen.Choose(0x10000, 0x10ffff))
        .Select(value => new System.Text.Rune(value));
}
