using Npgsql;
using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Postgres;

/// <content>Changes: each is reported as committed, as not made, or as of unknown outcome.</content>
internal sealed partial class PostgresCalls
{
    // The end of the write-ahead log (LSN): all commits before this statement lie before it.
    private const string SelectPosition = "SELECT pg_current_wal_insert_lsn()";

    /// <summary>Commits a change on the primary.</summary>
    /// <param name="change">The statement; gets the number of changed rows.</param>
    /// <param name="then">Executed next in a transaction of its own, its result ignored; null for none.</param>
    /// <param name="cancel">Abandons a change that has begun: it goes on in the background.</param>
    /// <exception cref="OperationCanceledException">The change was cancelled before it began.</exception>
    /// <exception cref="StorageException">The change failed, or its outcome is unknown.</exception>
    public async ValueTask ChangeAsync(PostgresChange change, PostgresChange? then, CancellationToken cancel)
    {
        var request = StoreRequest.Current;
        request?.MustBeCurrent = true;
        using var operation = Operation.Start(".sql");
        operation.Set("query", change.Sql);
        try
        {
            cancel.ThrowIfCancellationRequested();
            if (change.IsBatchable && !settings.RequestIdInName)
            {
                var waiter = changes.Send(change);
                await OrAbandonAsync(waiter.Task, waiter.TryTake, cancel);
            }
            else
            {
                await OrAbandonAsync(ChangeAsync([change], then, cancel), static () => false, cancel);
            }
            LogServer(isReplica: false, request);
            Conclude(change, operation);
            if (change.RowCount > 0)
            {
                request?.Position = change.Position;
            }
        }
        catch (Exception error) when (Failed(operation, error) is { } storage)
        {
            throw storage;
        }
    }

    /// <param name="change">Goes on in the background once abandoned.</param>
    /// <param name="tryTake">Cancels a change that has not begun; false when it has.</param>
    /// <param name="cancel">Ends the wait.</param>
    private async Task OrAbandonAsync(Task change, Func<bool> tryTake, CancellationToken cancel)
    {
        try
        {
            await change.WaitAsync(cancel);
        }
        catch (OperationCanceledException error) when (!change.IsCanceled)
        {
            if (tryTake())
            {
                throw;
            }
            if (change.IsCompleted)
            {
                // It completed at the same moment.
                await change;
                return;
            }
            _ = ReportLateAsync(change);
            throw AbandonedWrite.Error("the database", error);
        }
    }

    private async Task ReportLateAsync(Task change)
    {
        try
        {
            await change;
        }
        catch (OperationCanceledException)
        {
            // It was cancelled before it began.
        }
        catch (Exception error)
        {
            AbandonedWrite.Report(logger, error);
        }
    }

    private async Task ChangeBatchAsync(List<PostgresChange> batch)
    {
        try
        {
            await ChangeAsync(batch, then: null, CancellationToken.None);
        }
        catch (PostgresException error) when (PostgresErrors.IsRolledBack(error))
        {
            if (batch is [var only])
            {
                only.Refusal = error;
                return;
            }
            // Isolate statement errors within a PostgreSQL batch: one failed, which has rolled back all.
            await ChangeEachAsync(batch);
        }
    }

    private async Task ChangeEachAsync(List<PostgresChange> changes)
    {
        Exception? unavailable = null;
        foreach (var change in changes)
        {
            try
            {
                if (unavailable is null)
                {
                    await ChangeAsync([change], then: null, CancellationToken.None);
                }
                change.Refusal = unavailable;
            }
            catch (Exception error)
            {
                change.Refusal = error;
                // The other changes would time out one after the other.
                unavailable = PostgresErrors.IsRolledBack(error) ? null : PostgresErrors.Translate(error);
            }
        }
    }

    /// <summary>Commits all of these changes or none, in one transaction.</summary>
    private async Task ChangeAsync(List<PostgresChange> all, PostgresChange? then, CancellationToken cancel)
    {
        await using var connection = await servers.OpenPrimaryAsync(cancel);
        var isKnown = true;
        connection.Notice += (_, said) => isKnown &= !PostgresErrors.IsCommitWarning(said.Notice);
        await using var batch = Batch(connection);
        foreach (var change in all)
        {
            batch.BatchCommands.Add(change.ToCommand());
        }
        var end = batch.BatchCommands.Count;
        // A commit here: the next statement runs after it, in the same round trip.
        batch.BatchCommands[^1].AppendErrorBarrier = true;
        if (then is not null)
        {
            batch.BatchCommands.Add(then.ToCommand());
            batch.BatchCommands[^1].AppendErrorBarrier = true;
        }
        var position = await EndAsync(batch);
        if (!isKnown)
        {
            // Its wait for a standby was cancelled: it is committed here, and may be lost with this server.
            throw new StorageException(
                ErrorKind.StorageUnavailable, "the commit did not wait for the standby that it should wait for");
        }
        for (var i = 0; i < all.Count; i++)
        {
            all[i].RowCount = batch.BatchCommands[end - all.Count + i].RecordsAffected;
            all[i].Position = position;
        }
    }

    /// <summary>Executes a batch without cancellation.</summary>
    /// <returns>The position of its changes in the write-ahead log (LSN); null without a replica.</returns>
    private async ValueTask<string?> EndAsync(NpgsqlBatch batch)
    {
        if (!servers.HasReplica)
        {
            await batch.ExecuteNonQueryAsync(CancellationToken.None);
            return null;
        }
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SelectPosition));
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        string? position = null;
        do
        {
            while (await reader.ReadAsync(CancellationToken.None))
            {
                position = reader.GetValue(0).ToString();
            }
        }
        while (await reader.NextResultAsync(CancellationToken.None));
        return position;
    }
}
