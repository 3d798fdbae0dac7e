using Npgsql;
using TaskService.Domain;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Postgres;

/// <content>Changes, of which it is always known whether they are made, or said that it is not.</content>
internal sealed partial class PostgresCalls
{
    // The end of what was written, which no commit before this statement lies behind.
    private const string SelectPosition = "SELECT pg_current_wal_insert_lsn()";

    /// <summary>Makes a change on the primary, which is committed when this ends.</summary>
    /// <param name="change">The statement; knows afterwards how many rows were changed.</param>
    /// <param name="then">What follows in a transaction of its own, whatever comes of it; null for nothing.</param>
    /// <param name="cancel">What has begun goes on, but is not waited for.</param>
    /// <exception cref="OperationCanceledException">It has not begun, and does not.</exception>
    /// <exception cref="StorageException">It was not made, or that is not known.</exception>
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

    /// <param name="change">Goes on when nobody waits for it any more.</param>
    /// <param name="tryTake">Whether it has not begun, and does not from now on.</param>
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
                // At the last moment.
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
            // It was about to begin, and did not.
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
            // One of them is refused, which has undone them all.
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
                // The others would wait for it in vain, one after the other.
                unavailable = PostgresErrors.IsRolledBack(error) ? null : PostgresErrors.Translate(error);
            }
        }
    }

    /// <summary>Makes all of these changes or none, which is one transaction.</summary>
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
        // They commit here, so that what follows comes after the commit, in the same round trip.
        batch.BatchCommands[^1].AppendErrorBarrier = true;
        if (then is not null)
        {
            batch.BatchCommands.Add(then.ToCommand());
            batch.BatchCommands[^1].AppendErrorBarrier = true;
        }
        var position = await EndAsync(batch);
        if (!isKnown)
        {
            // Its wait for a standby was cancelled: it is made here, and may be lost with this server.
            throw new StorageException(
                ErrorKind.StorageUnavailable, "the commit did not wait for the standby that it should wait for");
        }
        for (var i = 0; i < all.Count; i++)
        {
            all[i].RowCount = batch.BatchCommands[end - all.Count + i].RecordsAffected;
            all[i].Position = position;
        }
    }

    /// <summary>Runs a batch to its end, whatever its client does meanwhile.</summary>
    /// <returns>Where its changes end in the write-ahead log; null when nobody will read behind it.</returns>
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
