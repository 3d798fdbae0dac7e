using FsCheck;
using FsCheck.Fluent;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

public sealed class IdOrderTests
{
    // Few ids, so that they meet, and enough of them to fill several chunks.
    private static readonly Arbitrary<int[]> Ids = Gen.Choose(0, 4_000).ArrayOf(6_000).ToArbitrary();

    [Fact]
    public void Slots_are_listed_in_id_order_after_any_adds_and_removes() =>
        Prop.ForAll(Ids, numbers =>
        {
            var (order, model) = (new IdOrder<TaskEntry>(), new SortedSet<string>(StringComparer.Ordinal));
            foreach (var id in numbers.Select(number => $"{number:x4}"))
            {
                if (model.Add(id))
                {
                    order.Add(new Slot<TaskEntry>(Some.Task(id)));
                }
                else
                {
                    order.Remove(id);
                    model.Remove(id);
                }
            }
            Assert.Equal(model, Walk(order.CopyAfter, null));
            Assert.Equal(model.Reverse(), Walk(order.CopyBefore, null));
            foreach (var id in new[] { "", "07ff", "07ff-", model.Min!, model.Max!, "g" })
            {
                Assert.Equal(model.Where(other => string.CompareOrdinal(other, id) > 0), Walk(order.CopyAfter, id));
                Assert.Equal(
                    model.Reverse().Where(other => string.CompareOrdinal(other, id) < 0), Walk(order.CopyBefore, id));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));

    [Fact]
    public void Ids_that_only_grow_fill_their_chunks_and_an_empty_order_is_empty()
    {
        var order = new IdOrder<TaskEntry>();
        Assert.Empty(Walk(order.CopyAfter, null));
        Assert.Empty(Walk(order.CopyBefore, "a"));
        var ids = Enumerable.Range(0, 2_000).Select(number => $"{number:x4}").ToList();
        ids.ForEach(id => order.Add(new Slot<TaskEntry>(Some.Task(id))));
        Assert.Equal(ids, Walk(order.CopyAfter, null));
        ids.ForEach(order.Remove);
        Assert.Empty(Walk(order.CopyAfter, null));
    }

    private delegate int Copy(string? id, Span<Slot<TaskEntry>> page);

    private static List<string> Walk(Copy copy, string? from)
    {
        var page = new Slot<TaskEntry>[100];
        var ids = new List<string>();
        int count;
        do
        {
            count = copy(ids.LastOrDefault(from!), page);
            ids.AddRange(page.Take(count).Select(slot => slot.Id));
        }
        while (count == page.Length);
        return ids;
    }
}
