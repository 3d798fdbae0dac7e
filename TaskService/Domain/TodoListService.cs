namespace TaskService.Domain;

/// <summary>The use cases of the todo list, independent of transport and storage engine.</summary>
internal sealed class TodoListService(IStore<TaskEntry> store, IdGenerator ids, TimeProvider time)
    : EntityService<TaskEntry>(store, ids, time, keyScope: "");
