using TaskService.Domain;

namespace TaskService.Tests.Domain;

public sealed class TaskEntryTests
{
    [Fact]
    public void A_title_is_1_to_1000_code_points()
    {
        Assert.NotNull(TaskEntry.TitleProblem(""));
        Assert.Null(TaskEntry.TitleProblem("x"));
        Assert.Null(TaskEntry.TitleProblem(new string('x', 1000)));
        Assert.NotNull(TaskEntry.TitleProblem(new string('x', 1001)));
    }

    [Fact]
    public void Lengths_count_code_points_not_UTF16_units()
    {
        var thousand = string.Concat(Enumerable.Repeat("\U0001F600", 1000));
        Assert.Null(TaskEntry.TitleProblem(thousand));
        Assert.NotNull(TaskEntry.TitleProblem(thousand + "x"));
        Assert.Null(TaskEntry.DescriptionProblem(string.Concat(Enumerable.Repeat(thousand, 10))));
        Assert.NotNull(TaskEntry.DescriptionProblem(string.Concat(Enumerable.Repeat(thousand, 10)) + "x"));
    }

    [Fact]
    public void No_text_has_characters_that_an_engine_cannot_store()
    {
        // Not as arguments of attributes, which lose lone surrogates.
        foreach (var text in new[] { "a\0b", "\ud800", "x\udc00", "\udc00\ud800", "\ud83d\ude00\ud83d" })
        {
            Assert.NotNull(TaskEntry.TitleProblem(text));
            Assert.NotNull(TaskEntry.DescriptionProblem(text));
        }
    }

    [Fact]
    public void An_entry_that_breaks_a_rule_cannot_be_made()
    {
        Assert.Throws<ArgumentException>(() => new TaskEntry { Title = "" });
        Assert.Throws<ArgumentException>(() => new TaskEntry { Title = "x", Description = "\0" });
        Assert.Throws<ArgumentException>(() => new TaskEntry { Title = "x" } with { Title = new string('x', 1001) });
    }

    [Fact]
    public void A_due_date_is_kept_in_UTC_to_the_microsecond()
    {
        var due = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.FromHours(2)).AddTicks(12_345_678);
        var task = new TaskEntry { Title = "x", DueDate = due };
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 10, 0, 1, 234, 567, TimeSpan.Zero), task.DueDate);
        Assert.Equal(TimeSpan.Zero, task.DueDate!.Value.Offset);
    }

    [Fact]
    public void Unix_seconds_are_bounded_by_the_years_1_and_9999()
    {
        Assert.Equal(DateTimeOffset.MinValue, UnixSeconds.ToTime(-62_135_596_800));
        Assert.Equal(9999, UnixSeconds.ToTime(Math.BitDecrement(253_402_300_800d))!.Value.Year);
        Assert.Null(UnixSeconds.ToTime(253_402_300_800));
        Assert.Null(UnixSeconds.ToTime(Math.BitDecrement(-62_135_596_800d)));
        Assert.Null(UnixSeconds.ToTime(double.NaN));
        Assert.Null(UnixSeconds.ToTime(double.PositiveInfinity));
        Assert.Equal(0, UnixSeconds.FromTime(UnixSeconds.ToTime(-0.0)!.Value));
    }
}
