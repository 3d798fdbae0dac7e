using Npgsql;
using NpgsqlTypes;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage.Postgres;

/// <summary>The table of one entity.</summary>
internal sealed class PostgresStore<T>(PostgresCalls calls, Entity<T> entity, ILogger logger) : IStore<T>
    where T : class, IContent
{
    // Optimistic concurrency: changes the row only if it is the version that was read; no lock is held in between.
    private const string SameRow = " AND xmin = @xmin";

    private readonly EntitySql<T> sql = entity.Sql;
    private readonly string findRow = entity.Sql.Find.Replace(" FROM ", ", xmin FROM ", StringComparison.Ordinal);
    private readonly string idIsTaken = $"{entity.Table}_pkey";

    // The key first: the value is inserted only if the key is.
    private readonly string insertWithKey =
        $"WITH added AS ({KeySql.Insert} RETURNING key) {entity.Sql.InsertFrom("added")}";

    public long? Revision => null;

    public bool NeedsReadConsistency => calls.HasReplica;

    public async ValueTask<ErrorKind?> CreateAsync(
        Stored<T> item, IdempotencyRecord? idempotency, CancellationToken cancel)
    {
        var insert = new PostgresChange(
            idempotency is null ? sql.Insert : insertWithKey,
            parameters =>
            {
                sql.SetItem(parameters, item);
                if (idempotency is not null)
                {
                    KeySql.SetKey(parameters, idempotency);
                }
            })
        {
            // A new id conflicts with no other statement; a key may be in use concurrently, and a missing parent is an
            // error, which would roll the others back.
            IsBatchable = idempotency is null && entity.References.Count == 0,
        };
        var deleteExpired = idempotency is null ? null : new PostgresChange(
            PostgresKeySql.DeleteExpired, parameters => KeySql.SetExpiry(parameters, idempotency.Created));
        try
        {
            await calls.ChangeAsync(insert, deleteExpired, cancel);
            return insert.RowCount == 1 ? null : ErrorKind.IdTaken;
        }
        catch (PostgresException error) when (
            error.SqlState == PostgresErrorCodes.UniqueViolation && error.ConstraintName == idIsTaken)
        {
            return ErrorKind.IdTaken;
        }
        catch (PostgresException error) when (IsReference(error))
        {
            return ErrorKind.ParentNotFound;
        }
    }

    public async ValueTask<IdempotencyRecord?> FindKeyAsync(string key, CancellationToken cancel)
    {
        var hasReplica = calls.HasReplica;
        var find = PostgresQuery.Find(
            hasReplica ? PostgresKeySql.FindWithPosition : KeySql.Find,
            new("@key", key),
            row => (Create: KeySql.Read(row), Position: hasReplica ? $"{row.GetValue(row.FieldCount - 1)}" : null));
        await calls.ReadAsync(find, request: null, cancel);
        if (find.Rows is not [var (create, position)])
        {
            return null;
        }
        // A retry gets the position as well, so that its client can read the value from a replica.
        StoreRequest.Current?.Position = position;
        return create;
    }

    public async ValueTask<Stored<T>?> FindAsync(string id, CancellationToken cancel)
    {
        var find = PostgresQuery.Find(sql.Find, new("@id", id), sql.Read);
        await calls.ReadAsync(find, StoreRequest.Current, cancel);
        return find.Rows is [var row] ? Served(row) : null;
    }

    public IAsyncEnumerable<Stored<T>> ListAsync(Query<T> query, CancellationToken cancel)
    {
        // Captured here: later pages are read while the response is sent, outside of this context.
        var request = StoreRequest.Current;
        return KeysetPages.StreamAsync(
            query.After ?? "",
            async (after, limit, cancel) =>
            {
                var page = new PostgresQuery<ReadRow<T>>(
                    sql.List(query), parameters => sql.SetQuery(parameters, query, after, limit), sql.Read)
                {
                    CharactersOf = row => row.Item is null ? 0 : row.Characters,
                };
                await calls.ReadAsync(page, request, cancel);
                var rows = page.Rows;
                var items = rows.Select(Served).OfType<Stored<T>>().ToList();
                return new KeysetPage<Stored<T>>(
                    items,
                    rows.LastOrDefault().Id,
                    rows.Count < limit && !page.IsCut,
                    page.Characters);
            },
            cancel);
    }

    public IAsyncEnumerable<string> ListIdsDescendingAsync(CancellationToken cancel) => KeysetPages.StreamAsync(
        KeysetPages.AboveAllIds,
        async (before, limit, cancel) =>
        {
            var page = new PostgresQuery<string>(
                sql.ListIdsDescending,
                parameters => parameters.SetBefore(before, limit),
                reader => reader.GetString(0));
            await calls.ReadAsync(page, request: null, cancel);
            var ids = page.Rows;
            return new KeysetPage<string>(ids, ids.LastOrDefault() ?? before, ids.Count < limit);
        },
        cancel);

    public ValueTask<ErrorKind?> UpdateAsync(Stored<T> item, ContentVersion? expected, CancellationToken cancel) =>
        ChangeAsync(sql.Update, parameters => sql.SetItem(parameters, item), item.Id, item, expected, cancel);

    public ValueTask<ErrorKind?> DeleteAsync(string id, ContentVersion? expected, CancellationToken cancel) =>
        ChangeAsync(sql.Delete, parameters => parameters.SetId(id), id, next: null, expected, cancel);

    private async ValueTask<ErrorKind?> ChangeAsync(
        string text,
        Action<SqlParameters> set,
        string id,
        Stored<T>? next,
        ContentVersion? expected,
        CancellationToken cancel)
    {
        while (true)
        {
            var change = new PostgresChange(text, set);
            if (expected is not null)
            {
                var find = new PostgresQuery<(ReadRow<T> Row, uint Version)>(
                    findRow,
                    parameters => parameters.SetId(id),
                    reader => (sql.Read(reader), reader.GetFieldValue<uint>(reader.FieldCount - 1)));
                await calls.ReadAsync(find, request: null, cancel);
                var current = find.Rows is [var (row, _)] ? Served(row) : null;
                if (entity.Refusal(current, next, expected) is { } refusal)
                {
                    StoreRequest.Current?.MustBeCurrent = true;
                    return refusal;
                }
                change = new PostgresChange(
                    text + SameRow,
                    parameters =>
                    {
                        set(parameters);
                        parameters.Items.Add(
                            new NpgsqlParameter("@xmin", NpgsqlDbType.Xid) { Value = find.Rows[0].Version });
                    });
            }
            try
            {
                await calls.ChangeAsync(change, then: null, cancel);
            }
            catch (PostgresException error) when (IsReference(error))
            {
                return ErrorKind.HasChildren;
            }
            if (change.RowCount == 1)
            {
                return null;
            }
            if (expected is null)
            {
                return ErrorKind.NotFound;
            }
            // A concurrent change won: retry with the current row.
        }
    }

    private static bool IsReference(PostgresException error) =>
        error.SqlState == PostgresErrorCodes.ForeignKeyViolation;

    /// <returns>Null when the row is invalid, which is logged.</returns>
    private Stored<T>? Served(ReadRow<T> row)
    {
        if (row.Item is null)
        {
            logger.LogWarning("The row {Id} of {Table} is not served: {Problem}", row.Id, entity.Table, row.Problem);
        }
        return row.Item;
    }
}

/// <summary>Statements on the table of idempotency keys that only PostgreSQL has.</summary>
internal static class PostgresKeySql
{
    // The commit of a visible row lies before the end of the log.
    public static string FindWithPosition { get; } = KeySql.Find.Replace(
        " FROM ", ", pg_current_wal_insert_lsn() FROM ", StringComparison.Ordinal);

    // Keys that another transaction is deleting are skipped, without a wait.
    public static string DeleteExpired { get; } = KeySql.DeleteExpired.Replace(
        "LIMIT @limit", "LIMIT @limit FOR UPDATE SKIP LOCKED", StringComparison.Ordinal);
}
