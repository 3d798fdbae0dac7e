using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Sqlite;

/// <summary>The table of one entity.</summary>
internal sealed class SqliteStore<T>(SqliteEngine engine, Entity<T> entity) : IStore<T>
    where T : class, IContent
{
    private readonly EntitySql<T> sql = entity.Sql;

    private readonly List<(string Sql, Func<T, string> IdOf)> parents =
        [.. entity.References.Select(reference => (SqliteEngine.Exists(reference.Table, "id"), reference.IdOf))];

    /// <summary>
    /// Null, since another process may change the rows. <c>PRAGMA data_version</c> detects that per connection, but
    /// costs the same lock and file access as a short list.
    /// </summary>
    public long? Revision => null;

    public async ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        var change = engine.Writer.Begin(session => Create(session, item, idempotency));
        if (idempotency is not null)
        {
            engine.Keys.Begin(idempotency.Key, change.Ended);
        }
        return await change.WaitAsync(cancel);
    }

    public async ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        await engine.Keys.WaitAsync(key, cancel);
        return await engine.Readers.ReadAsync(session => SqliteKeys.Find(session, key), cancel);
    }

    public ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel) =>
        engine.Readers.ReadAsync(session => Find(session, id), cancel);

    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel) =>
        KeysetPages.StreamAsync(
            query.After ?? "",
            (after, items, cancelPage) => engine.Readers.ReadAsync(
                session => ReadPage(session, query, after, items), cancelPage),
            cancel);

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) =>
        KeysetPages.StreamAsync(
            KeysetPages.AboveAllIds,
            (before, items, cancelPage) => engine.Readers.ReadAsync(
                session => ReadIds(session, before, items), cancelPage),
            cancel);

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel) =>
        ChangeAsync(
            session =>
            {
                var refusal = entity.Refusal(Find(session, item.Id), item, expected);
                if (refusal is null)
                {
                    session.Execute(sql.Update, command => sql.SetItem(command, item));
                }
                return refusal;
            },
            cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        ChangeAsync(
            session =>
            {
                var refusal = entity.Refusal(Find(session, id), next: null, expected);
                if (refusal is null && engine.HasChildren(session, entity.Table, id))
                {
                    refusal = ErrorKind.HasChildren;
                }
                if (refusal is null)
                {
                    session.Execute(sql.Delete, command => ((SqlParameters)command).SetId(id));
                }
                return refusal;
            },
            cancel);

    // The transaction holds the write lock: no other write comes between the reads and the change.
    private async ValueTask<ErrorKind?> ChangeAsync(Func<SqliteSession, ErrorKind?> work, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return await engine.Writer.Begin(work).WaitAsync(cancel);
    }

    private ErrorKind? Create(SqliteSession session, Stored<T> item, IdempotencyRecord? idempotency)
    {
        if (idempotency is not null && SqliteKeys.Find(session, idempotency.Key) is { } known
            && !known.IsExpired(idempotency.Created))
        {
            // A retry with the key gets the result of the other process.
            throw new StorageException(
                ErrorKind.StorageUnavailable, "another process has used this key meanwhile");
        }
        if (parents.Exists(parent => !SqliteEngine.HasRow(session, parent.Sql, parent.IdOf(item.Value))))
        {
            return ErrorKind.ParentNotFound;
        }
        if (session.Execute(sql.Insert, command => sql.SetItem(command, item)) == 0)
        {
            return ErrorKind.IdTaken;
        }
        if (idempotency is not null)
        {
            engine.Keys.Write(session, idempotency);
        }
        return null;
    }

    private Stored<T>? Find(SqliteSession session, string id)
    {
        Stored<T>? found = null;
        session.Query(sql.Find, command => ((SqlParameters)command).SetId(id), row =>
        {
            found = Served(sql.Read(row));
            return false;
        });
        return found;
    }

    private KeysetPage<Stored<T>> ReadPage(SqliteSession session, Query<T> query, string after, int items)
    {
        var page = new List<Stored<T>>(items);
        var (last, rows, characters) = (after, 0, 0);
        session.Query(sql.List(query), command => sql.SetQuery(command, query, after, items), row =>
        {
            var read = sql.Read(row);
            last = read.Id;
            rows++;
            if (Served(read) is { } item)
            {
                page.Add(item);
                characters += read.Characters;
            }
            return characters < KeysetPages.CharactersMax;
        });
        var isWhole = characters < KeysetPages.CharactersMax;
        return new KeysetPage<Stored<T>>(page, last, rows < items && isWhole, characters);
    }

    private KeysetPage<string> ReadIds(SqliteSession session, string before, int items)
    {
        var ids = new List<string>(items);
        session.Query(
            sql.ListIdsDescending,
            command => ((SqlParameters)command).SetBefore(before, items),
            row =>
            {
                ids.Add(row.GetString(0));
                return true;
            });
        return new KeysetPage<string>(ids, ids.Count > 0 ? ids[^1] : before, ids.Count < items);
    }

    private Stored<T>? Served(ReadRow<T> row)
    {
        if (row.Item is null)
        {
            engine.ReportNotServed(entity.Table, row.Id, row.Problem!);
        }
        return row.Item;
    }
}
