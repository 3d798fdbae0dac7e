using TaskService.Domain;
using TaskService.Storage;

namespace TaskService.Tests.Storage;

public sealed class MemoryTaskStoreTests : TaskStoreContract
{
    private protected override ITaskStore Create() => new MemoryTaskStore();
}
