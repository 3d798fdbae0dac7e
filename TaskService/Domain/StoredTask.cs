namespace TaskService.Domain;

/// <summary>A task under its id, with the version of its content. It never changes.</summary>
internal sealed class StoredTask(string id, TaskEntry entry, TaskVersion version) : IEquatable<StoredTask>
{
    public StoredTask(string id, TaskEntry entry)
        : this(id, entry, entry.ComputeVersion())
    {
    }

    public string Id => id;

    public TaskEntry Entry => entry;

    public TaskVersion Version => version;

    /// <summary>
    /// Room for a layer above to keep what it made of this task, so that it is made once; null until then. It goes with
    /// the task: a changed one is another object. No rule and no engine looks at it.
    /// </summary>
    public object? Made { get; set; }

    public bool Equals(StoredTask? other) => other is not null && other.Id == id && other.Version == version;

    public override bool Equals(object? obj) => Equals(obj as StoredTask);

    public override int GetHashCode() => HashCode.Combine(id, version);

    public override string ToString() => $"{id} {version} {entry}";
}
