namespace TaskService.Domain;

/// <summary>A task under its id, with the version of its content. It never changes.</summary>
internal sealed class StoredTask(string id, TaskEntry entry) : IEquatable<StoredTask>
{
    private TaskVersion version;
    private volatile bool hasVersion;

    public string Id => id;

    public TaskEntry Entry => entry;

    /// <summary>Computed when it is asked for, which a task that is replaced before anyone reads it never is.</summary>
    public TaskVersion Version
    {
        get
        {
            if (!hasVersion)
            {
                // Who comes at the same time writes the same bits.
                version = entry.ComputeVersion();
                hasVersion = true;
            }
            return version;
        }
    }

    /// <summary>
    /// Room for a layer above to keep what it made of this task, so that it is made once; null until then. It goes with
    /// the task: a changed one is another object. No rule and no engine looks at it.
    /// </summary>
    public object? CachedRepresentation { get; set; }

    public bool Equals(StoredTask? other) =>
        other is not null && other.Id == id && other.Entry == entry;

    public override bool Equals(object? obj) => Equals(obj as StoredTask);

    public override int GetHashCode() => HashCode.Combine(id, entry);

    public override string ToString() => $"{id} {entry}";
}
