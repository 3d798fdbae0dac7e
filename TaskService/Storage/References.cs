using TaskService.Domain;

namespace TaskService.Storage;

/// <summary>
/// Keeps parents as long as they have children, for engines that hold all values in memory. A child is counted before
/// it is written, and until it is deleted; a parent that is being deleted takes no children.
/// </summary>
internal sealed class References
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Predicate<string>> exists = new(StringComparer.Ordinal);
    private readonly HashSet<string> parents = new(StringComparer.Ordinal);

    // The number of children of a parent; below 0 the number of deletes of it that have begun; no entry for 0.
    private readonly Dictionary<(string Table, string Id), int> children = [];

    /// <summary>Adds an entity, before the engine is opened.</summary>
    /// <param name="entity">With its references.</param>
    /// <param name="has">Whether there is a value with this id.</param>
    public void Add<T>(Entity<T> entity, Predicate<string> has)
        where T : class, IContent
    {
        exists.Add(entity.Table, has);
        parents.UnionWith(entity.References.Select(reference => reference.Table));
    }

    /// <summary>Counts a value that was loaded.</summary>
    public void AddLoaded<T>(Entity<T> entity, T value)
        where T : class, IContent
    {
        foreach (var reference in entity.References)
        {
            Count((reference.Table, reference.IdOf(value)), 1);
        }
    }

    /// <summary>Creates a value that has parents.</summary>
    /// <param name="entity">With its references.</param>
    /// <param name="value">With its parents.</param>
    /// <param name="create">Returns why it was not created; null when it was.</param>
    /// <param name="mayBeThere">Whether the value may be stored although <paramref name="create"/> failed.</param>
    /// <returns><see cref="ErrorKind.ParentNotFound"/>, or what <paramref name="create"/> returns.</returns>
    public ErrorKind? Create<T>(
        Entity<T> entity, T value, Func<ErrorKind?> create, Func<bool> mayBeThere)
        where T : class, IContent
    {
        if (entity.References.Count == 0)
        {
            return create();
        }
        if (!TryHoldParents(entity, value))
        {
            return ErrorKind.ParentNotFound;
        }
        var isThere = false;
        try
        {
            var refusal = create();
            isThere = refusal is null;
            return refusal;
        }
        catch (StorageException)
        {
            isThere = mayBeThere();
            throw;
        }
        finally
        {
            if (!isThere)
            {
                ReleaseParents(entity, value);
            }
        }
    }

    /// <summary>Deletes a value that may have parents and children.</summary>
    /// <param name="entity">With its references.</param>
    /// <param name="id">Of the value.</param>
    /// <param name="delete">Returns the deleted value, or why it was not deleted.</param>
    /// <returns><see cref="ErrorKind.HasChildren"/>, or why <paramref name="delete"/> refuses.</returns>
    public ErrorKind? Delete<T>(Entity<T> entity, string id, Func<(ErrorKind? Refusal, Stored<T>? Deleted)> delete)
        where T : class, IContent
    {
        var key = (entity.Table, id);
        var mayHaveChildren = parents.Contains(entity.Table);
        if (mayHaveChildren && !TryBeginDelete(key))
        {
            return ErrorKind.HasChildren;
        }
        try
        {
            var (refusal, deleted) = delete();
            if (deleted is not null)
            {
                ReleaseParents(entity, deleted.Value);
            }
            return refusal;
        }
        finally
        {
            if (mayHaveChildren)
            {
                Count(key, 1);
            }
        }
    }

    private bool TryHoldParents<T>(Entity<T> entity, T value)
        where T : class, IContent
    {
        lock (gate)
        {
            var keys = entity.References.Select(reference => (reference.Table, Id: reference.IdOf(value))).ToList();
            if (!keys.TrueForAll(key => children.GetValueOrDefault(key) >= 0 && exists[key.Table](key.Id)))
            {
                return false;
            }
            keys.ForEach(key => Count(key, 1));
            return true;
        }
    }

    private void ReleaseParents<T>(Entity<T> entity, T value)
        where T : class, IContent
    {
        foreach (var reference in entity.References)
        {
            Count((reference.Table, reference.IdOf(value)), -1);
        }
    }

    private bool TryBeginDelete((string Table, string Id) parent)
    {
        lock (gate)
        {
            if (children.GetValueOrDefault(parent) > 0)
            {
                return false;
            }
            Count(parent, -1);
            return true;
        }
    }

    private void Count((string Table, string Id) parent, int by)
    {
        lock (gate)
        {
            var count = children.GetValueOrDefault(parent) + by;
            if (count == 0)
            {
                children.Remove(parent);
            }
            else
            {
                children[parent] = count;
            }
        }
    }
}
