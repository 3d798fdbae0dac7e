namespace TaskService.Domain;

/// <summary>The use cases of projects.</summary>
internal sealed class ProjectService(IStore<Project> store, IdGenerator ids, TimeProvider time)
    : EntityService<Project>(store, ids, time, keyScope: "projects");
