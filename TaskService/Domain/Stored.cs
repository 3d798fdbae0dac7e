namespace TaskService.Domain;

/// <summary>The content of a resource, without its id: a value, equal to another one with the same content.</summary>
internal interface IContent
{
    /// <summary>The version of this content; every property counts.</summary>
    ContentVersion ComputeVersion();
}

/// <summary>A value under its id, with the version of its content. It never changes.</summary>
internal sealed class Stored<T>(string id, T value) : IEquatable<Stored<T>>
    where T : class, IContent
{
    private ContentVersion version;
    private volatile bool hasVersion;

    public string Id => id;

    public T Value => value;

    /// <summary>Computed on first use: a value that is replaced before it is read needs no version.</summary>
    public ContentVersion Version
    {
        get
        {
            if (!hasVersion)
            {
                // No lock: concurrent callers compute and write the same version.
                version = value.ComputeVersion();
                hasVersion = true;
            }
            return version;
        }
    }

    /// <summary>
    /// A cache slot for a layer above: its encoding of this value, made once; null until then. A changed value is
    /// another object, so the cache is never stale. The domain and the engines do not use it.
    /// </summary>
    public object? CachedRepresentation { get; set; }

    public bool Equals(Stored<T>? other) => other is not null && other.Id == id && other.Value.Equals(value);

    public override bool Equals(object? obj) => Equals(obj as Stored<T>);

    public override int GetHashCode() => HashCode.Combine(id, value);

    public override string ToString() => $"{id} {value}";
}
