namespace TaskService.Domain;

/// <summary>A task under its id, with the version of its content. It never changes.</summary>
internal sealed class StoredTask(string id, TaskEntry entry) : IEquatable<StoredTask>
{
    private TaskVersion version;
    private volatile bool hasVersion;

    public string Id => id;

    public TaskEntry Entry => entry;

    /// <summary>Computed on first use: a task that is replaced before it is read needs no version.</summary>
    public TaskVersion Version
    {
        get
        {
            if (!hasVersion)
            {
                // No lock: concurrent callers compute and write the same value.
                version = entry.ComputeVersion();
                hasVersion = true;
            }
            return version;
        }
    }

    /// <summary>
    /// A cache slot for a layer above: its encoding of this task, made once; null until then. A changed task is another
    /// object, so the cache is never stale. The domain and the engines do not use it.
    /// </summary>
    public object? CachedRepresentation { get; set; }

    public bool Equals(StoredTask? other) =>
        other is not null && other.Id == id && other.Entry == entry;

    public override bool Equals(object? obj) => Equals(obj as StoredTask);

    public override int GetHashCode() => HashCode.Combine(id, entry);

    public override string ToString() => $"{id} {entry}";
}
