using Microsoft.Extensions.Time.Testing;
using TaskService.Domain;

namespace TaskService.Tests.Domain;

public sealed class IdGeneratorTests
{
    [Fact]
    public void Ids_are_UUIDs_of_version_7_in_32_lower_case_digits()
    {
        var id = new IdGenerator(At(1_763_000_000_123)).Next();
        Assert.Matches("^[0-9a-f]{32}$", id);
        var uuid = Guid.ParseExact(id, "N");
        Assert.Equal(7, uuid.Version);
        Assert.InRange(uuid.Variant, 8, 11);
        Assert.Equal(1_763_000_000_123, Convert.ToInt64(id[..12], 16));
    }

    [Fact]
    public void A_million_ids_in_a_row_only_go_up()
    {
        var ids = new IdGenerator(TimeProvider.System);
        var last = ids.Next();
        for (var i = 0; i < 1_000_000; i++)
        {
            var next = ids.Next();
            Assert.True(string.CompareOrdinal(last, next) < 0, $"{next} came after {last}");
            last = next;
        }
    }

    [Fact]
    public void Ids_of_many_threads_are_distinct()
    {
        var ids = new IdGenerator(TimeProvider.System);
        var made = Enumerable.Range(0, 100_000).AsParallel().WithDegreeOfParallelism(8)
            .Select(_ => ids.Next()).ToList();
        Assert.Equal(made.Count, made.Distinct().Count());
    }

    [Fact]
    public void A_clock_that_goes_back_does_not_make_ids_go_back()
    {
        var time = At(2_000_000_000_000);
        var ids = new IdGenerator(time);
        var before = ids.Next();
        time.AdjustTime(time.GetUtcNow().AddHours(-1));
        Assert.True(string.CompareOrdinal(before, ids.Next()) < 0);
    }

    [Fact]
    public void Ids_start_above_the_highest_stored_one_whatever_the_clock_says()
    {
        var stored = new IdGenerator(At(2_000_000_000_000)).Next();
        var ids = new IdGenerator(At(1_000_000_000_000));
        Assert.True(ids.StartAbove(stored));
        Assert.True(string.CompareOrdinal(stored, ids.Next()) < 0);
        Assert.True(ids.StartAbove("00000000000070008000000000000000"));
        Assert.True(string.CompareOrdinal(stored, ids.Next()) < 0);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a-task")]
    [InlineData("4bb6e1e4d7e54421ba710d6d82f1a748")]
    [InlineData("01A1FC7962D17685AE78E3369B720B8A")]
    [InlineData("01a1fc7962d17685ce78e3369b720b8a")]
    [InlineData("01a1fc7962d17685ae78e3369b720b8a0")]
    [InlineData("zza1fc7962d17685ae78e3369b720b8a")]
    public void Only_generated_ids_raise_the_start(string id) =>
        Assert.False(new IdGenerator(TimeProvider.System).StartAbove(id));

    [Theory]
    [InlineData("a", true)]
    [InlineData("A-z-0-9", true)]
    [InlineData("", false)]
    [InlineData("a_b", false)]
    [InlineData("a.b", false)]
    [InlineData("a/b", false)]
    [InlineData("%41", false)]
    [InlineData("é", false)]
    public void An_id_has_letters_digits_and_hyphens(string id, bool valid) =>
        Assert.Equal(valid, IdGenerator.IsValid(id));

    [Fact]
    public void An_id_has_64_characters_at_most()
    {
        Assert.True(IdGenerator.IsValid(new string('a', 64)));
        Assert.False(IdGenerator.IsValid(new string('a', 65)));
    }

    private static FakeTimeProvider At(long milliseconds) => new(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
}
