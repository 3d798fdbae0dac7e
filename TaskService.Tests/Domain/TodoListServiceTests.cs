using Microsoft.Extensions.Time.Testing;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Domain;

public sealed class TodoListServiceTests
{
    [Fact]
    public async Task New_ids_are_higher_than_all_stored_ids_even_among_foreign_ones()
    {
        await using var store = new TaskStore(new MemoryEngine());
        var future = new IdGenerator(new FakeTimeProvider(DateTimeOffset.UtcNow.AddHours(1))).Next();
        string[] ids = [future, "00000000000000000000000000000001", "zzz", "fbb6e1e4d7e54421ba710d6d82f1a748"];
        foreach (var id in ids)
        {
            Assert.Null(await store.CreateAsync(Some.Task(id), null, CancellationToken.None));
        }
        var generator = new IdGenerator(TimeProvider.System);
        await generator.StartAboveAsync(store.ListIdsDescendingAsync(CancellationToken.None));
        var service = new TodoListService(store, generator, TimeProvider.System);
        var created = await service.CreateAsync(new TaskEntry { Title = "Task1" }, null, CancellationToken.None);
        Assert.True(string.CompareOrdinal(future, created.Id) < 0, $"{created.Id} is not above {future}");
    }
}
