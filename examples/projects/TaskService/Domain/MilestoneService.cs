namespace TaskService.Domain;

/// <summary>The use cases of milestones.</summary>
internal sealed class MilestoneService(IStore<Milestone> store, IdGenerator ids, TimeProvider time)
    : EntityService<Milestone>(store, ids, time, keyScope: "milestones")
{
    /// <returns>The milestone, or null when this project has none with this id.</returns>
    public async ValueTask<Stored<Milestone>?> FindAsync(string projectId, string id, CancellationToken cancel) =>
        await FindAsync(id, cancel) is { } found && found.Value.ProjectId == projectId ? found : null;

    // A key in one project is not the same one in another.
    protected override string KeyScopeOf(Milestone value) => $"{base.KeyScopeOf(value)} {value.ProjectId}";
}
