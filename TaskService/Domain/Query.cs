namespace TaskService.Domain;

/// <summary>
/// Filters for a list of values, in id order. A resource derives its own, whose properties restrict when they are not
/// null.
/// </summary>
internal record Query<T>
    where T : class, IContent
{
    /// <summary>Only ids after this one, compared as ordinal text; it need not exist.</summary>
    public string? After { get; init; }

    /// <summary>Whether the filters match this value. The engine applies <see cref="After"/> itself.</summary>
    public virtual bool Matches(T value) => true;
}
