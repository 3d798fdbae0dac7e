using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using TaskService.Domain;

namespace TaskService.Storage.FileSystem;

/// <summary>The directory of one entity, and all of its values in memory.</summary>
internal sealed partial class FileStore<T> : IStore<T>, IFileStore
    where T : class, IContent
{
    private const string Suffix = ".json";

    private readonly FileEngine engine;
    private readonly Entity<T> entity;
    private readonly Table<T> table;
    // Ids of all files in the directory, served or not. A file system may treat names that differ in case only as one.
    private readonly ConcurrentDictionary<string, bool> taken = new(StringComparer.OrdinalIgnoreCase);
    private DurableDirectory? files;
    private FileKeys? keys;

    public FileStore(FileEngine engine, Entity<T> entity)
    {
        (this.engine, this.entity, table) = (engine, entity, new Table<T>(entity));
        engine.References.Add(entity, id =>
        {
            // A parent whose deletion has failed may be gone after a power cut.
            files!.ThrowIfFailed();
            return Has(id);
        });
    }

    public long? Revision => table.Revision;

    public bool IsEmpty => taken.Keys.All(id => !Has(id));

    public void OpenToChange(string root, Action<SafeFileHandle> sync, CancellationToken cancel)
    {
        var path = Path.Combine(root, entity.Directory);
        files = new DurableDirectory(path, sync);
        Load(path, cancel);
        keys = new FileKeys(new DurableDirectory(Path.Combine(path, ".keys"), sync), Has, engine.Logger);
    }

    public void OpenToRead(string root, CancellationToken cancel)
    {
        var path = Path.Combine(root, entity.Directory);
        if (Directory.Exists(path))
        {
            Load(path, cancel);
        }
    }

    public void RequireInPlace()
    {
        files!.RequireInPlace();
        keys!.RequireInPlace();
    }

    public void ThrowIfFailed()
    {
        files!.ThrowIfFailed();
        keys!.ThrowIfFailed();
    }

    public void Dispose()
    {
        keys?.Dispose();
        files?.Dispose();
    }

    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(table.Find(id));
    }

    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel) =>
        table.ListAsync(query, cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        table.ListIdsDescendingAsync(cancel);

    public async ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        if (idempotency is null)
        {
            return await engine.ChangeAsync(item.Id, () => Create(item), cancel);
        }
        var end = keys!.Begin(idempotency);
        try
        {
            return await engine.ChangeAsync(item.Id, () => Create(item, idempotency, end), cancel);
        }
        catch (OperationCanceledException)
        {
            // The create never began.
            keys.End(idempotency, end);
            throw;
        }
    }

    public ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return keys!.FindAsync(key, cancel);
    }

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel) =>
        engine.ChangeAsync(item.Id, () => Update(item, expected), cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        engine.ChangeAsync(id, () => engine.References.Delete(entity, id, () => Delete(id, expected)), cancel);

    private bool Has(string id) => table.Find(id) is not null;

    private ErrorKind? Create(Stored<T> item) => CreateBelowParents(item, () =>
    {
        Write(item);
        Add(item);
    });

    private ErrorKind? Create(Stored<T> item, IdempotencyRecord idempotency, TaskCompletionSource end)
    {
        try
        {
            return CreateBelowParents(item, () =>
            {
                keys!.Write(idempotency);
                Write(item);
                Add(item);
                keys.Add(idempotency);
            });
        }
        catch (StorageException) when (!IsOnDisk(item))
        {
            keys!.Withdraw(idempotency);
            throw;
        }
        finally
        {
            keys!.End(idempotency, end);
        }
    }

    private ErrorKind? CreateBelowParents(Stored<T> item, Action create) => engine.References.Create(
        entity,
        item.Value,
        () =>
        {
            if (taken.ContainsKey(item.Id))
            {
                return ErrorKind.IdTaken;
            }
            create();
            return null;
        },
        () => IsOnDisk(item));

    private ErrorKind? Update(Stored<T> item, ContentVersion? expected)
    {
        if (entity.Refusal(table.Find(item.Id), item, expected) is { } refusal)
        {
            return refusal;
        }
        Write(item);
        return table.Replace(item, expected: null);
    }

    private (ErrorKind? Refusal, Stored<T>? Deleted) Delete(string id, ContentVersion? expected)
    {
        if (entity.Refusal(table.Find(id), next: null, expected) is { } refusal)
        {
            return (refusal, null);
        }
        keys!.Confirm(id);
        files!.Delete(id + Suffix);
        taken.TryRemove(id, out _);
        return (table.Remove(id, expected: null, out var removed), removed);
    }

    private bool IsOnDisk(Stored<T> item) => files!.Exists(item.Id + Suffix);

    private void Write(Stored<T> item) => files!.Write(item.Id + Suffix, entity.ToFile(item.Value));

    private void Add(Stored<T> item)
    {
        taken[item.Id] = true;
        table.Add(item);
    }
}
