namespace TaskService.Domain;

/// <summary>A task under its id, with the version of its content.</summary>
internal sealed record StoredTask(string Id, TaskEntry Entry, TaskVersion Version)
{
    public StoredTask(string id, TaskEntry entry)
        : this(id, entry, entry.ComputeVersion())
    {
    }
}
