using System.Diagnostics;
using System.Text;
using Npgsql;
using NpgsqlTypes;
using TaskService.Domain;
using TaskService.Telemetry;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Runs statements, each in one round trip: reads on the server that the request may read from, changes on the primary.
/// All are observed as <c>.sql</c>, and what goes wrong is a <see cref="StorageException"/>.
/// </summary>
/// <param name="servers">Has the connections.</param>
/// <param name="settings">Says who reads where.</param>
/// <param name="name">Stands in <c>application_name</c>.</param>
/// <param name="logger">Is told which server is used.</param>
internal sealed class PostgresCalls(
    PostgresServers servers, PostgresSettings settings, string name, ILogger logger)
{
    /// <summary>What PostgreSQL keeps of <c>application_name</c>.</summary>
    public const int NameCharactersMax = 63;

    // For this transaction only: an idle connection of the pool never shows the id of a request that has ended.
    private const string SetName = "SELECT set_config('application_name', @name, true)";

    // The end of what was written, which no commit before this statement lies behind.
    private const string SelectPosition = "SELECT pg_current_wal_insert_lsn()";

    // Null on a server that never was a replica.
    private const string HasPosition =
        "SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= @position, false)";

    private const int ConnectionsTriedMax = 2;
    private static readonly TimeSpan PauseMax = TimeSpan.FromMilliseconds(8);

    /// <summary>A text as <c>application_name</c> can hold it.</summary>
    public static string ToName(string text)
    {
        var name = new StringBuilder(text, 0, Math.Min(text.Length, NameCharactersMax), NameCharactersMax);
        for (var i = 0; i < name.Length; i++)
        {
            name[i] = name[i] is >= ' ' and <= '~' ? name[i] : '?';
        }
        return name.ToString();
    }

    /// <summary>Reads rows on a replica if the request may, else on the primary.</summary>
    /// <param name="statement">The query and its parameters; made anew for each try.</param>
    /// <param name="row">Reads the row that the reader stands on.</param>
    /// <param name="request">That it is for.</param>
    /// <param name="cancel">At any time.</param>
    public async ValueTask<List<T>> ReadAsync<T>(
        Func<NpgsqlBatchCommand> statement,
        Func<NpgsqlDataReader, T> row,
        StoreRequest? request,
        CancellationToken cancel)
    {
        var usesReplica = servers.HasReplica && settings.Routes.UsesReplica(request);
        NpgsqlLogSequenceNumber? after = null;
        if (usesReplica && request!.ReadAfter is { } text)
        {
            // What is not understood was not written by a replica's primary of ours: only the primary is sure to do.
            usesReplica = NpgsqlLogSequenceNumber.TryParse(text, out var position);
            after = position;
        }
        Say(usesReplica, request);
        if (!usesReplica)
        {
            return await ReadPrimaryAsync(statement, row, cancel);
        }
        if (await ReadReplicaAsync(statement, row, after, cancel) is { } rows)
        {
            return rows;
        }
        try
        {
            return await ReadPrimaryAsync(statement, row, cancel);
        }
        catch (StorageException)
        {
            // The one server that has gone may have stood in for a replica, which there is again by now.
            if (await ReadReplicaAsync(statement, row, after, cancel) is { } later)
            {
                return later;
            }
            throw;
        }
    }

    /// <summary>Reads rows on the primary.</summary>
    /// <param name="statement">The query and its parameters; made anew for each try.</param>
    /// <param name="row">Reads the row that the reader stands on.</param>
    /// <param name="cancel">At any time.</param>
    public async ValueTask<List<T>> ReadPrimaryAsync<T>(
        Func<NpgsqlBatchCommand> statement, Func<NpgsqlDataReader, T> row, CancellationToken cancel)
    {
        try
        {
            for (var tried = 1; ; tried++)
            {
                try
                {
                    await using var connection = await servers.OpenPrimaryAsync(cancel);
                    return (await ReadAsync(connection, statement(), row, after: null, cancel))!;
                }
                catch (Exception error) when (PostgresErrors.IsOfConnection(error) && tried < ConnectionsTriedMax)
                {
                    // It lay in the pool while its server went away. A read can simply be made again.
                }
            }
        }
        catch (Exception error) when (PostgresErrors.Translate(error) is { } storage)
        {
            throw storage;
        }
    }

    /// <summary>Makes a change on the primary, which is a transaction of its own.</summary>
    /// <param name="change">The statement.</param>
    /// <param name="then">What follows in a transaction of its own, whatever comes of it; null for nothing.</param>
    /// <param name="cancel">Until the change has begun.</param>
    /// <returns>How many rows were changed.</returns>
    /// <exception cref="StorageException">It was not made, or that is not known.</exception>
    public async ValueTask<int> ChangeAsync(
        NpgsqlBatchCommand change, NpgsqlBatchCommand? then, CancellationToken cancel)
    {
        var request = StoreRequest.Current;
        request?.MustBeCurrent = true;
        Say(usesReplica: false, request);
        try
        {
            await using var connection = await servers.OpenPrimaryAsync(cancel);
            return await ChangeAsync(connection, change, then);
        }
        catch (Exception error) when (PostgresErrors.Translate(error) is { } storage)
        {
            throw storage;
        }
    }

    private async ValueTask<int> ChangeAsync(
        NpgsqlConnection connection, NpgsqlBatchCommand change, NpgsqlBatchCommand? then)
    {
        var isKnown = true;
        connection.Notice += (_, said) => isKnown &= said.Notice.SqlState != PostgresErrors.Warning;
        using var operation = Operations.Start(".sql");
        operation.Set("query", change.CommandText);
        try
        {
            await using var batch = Batch(connection);
            // It commits here, so that what follows comes after the commit, in the same round trip.
            change.AppendErrorBarrier = true;
            batch.BatchCommands.Add(change);
            if (then is not null)
            {
                then.AppendErrorBarrier = true;
                batch.BatchCommands.Add(then);
            }
            var position = await EndAsync(batch);
            if (!isKnown)
            {
                // Its wait for a standby was cancelled: it is made here, and may be lost with this server.
                throw new StorageException(
                    ErrorKind.StorageUnavailable, "the commit did not wait for the standby that it should wait for");
            }
            if (change.RecordsAffected > 0)
            {
                StoreRequest.Current?.Position = position;
            }
            operation.Set("row_count", (long)change.RecordsAffected);
            return change.RecordsAffected;
        }
        catch (Exception error)
        {
            operation.Fail(error);
            throw;
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

    private async ValueTask<List<T>?> ReadReplicaAsync<T>(
        Func<NpgsqlBatchCommand> statement,
        Func<NpgsqlDataReader, T> row,
        NpgsqlLogSequenceNumber? after,
        CancellationToken cancel)
    {
        try
        {
            var started = Stopwatch.GetTimestamp();
            await using var connection = await servers.OpenReplicaAsync(cancel);
            for (var pause = TimeSpan.FromMilliseconds(1); ; pause *= 2)
            {
                if (await ReadAsync(connection, statement(), row, after, cancel) is { } rows)
                {
                    return rows;
                }
                pause = pause > PauseMax ? PauseMax : pause;
                if (Stopwatch.GetElapsedTime(started) + pause > settings.ReadYourWritesWaitMax)
                {
                    logger.LogDebug("The replica is behind for too long, so the primary is read");
                    return null;
                }
                logger.LogDebug("The read waits for a replica that is behind");
                await Task.Delay(pause, cancel);
            }
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
        {
            // It is not there, or cannot answer this one, as when a table has not come through yet.
            logger.LogDebug(error, "The replica fails, so the primary is read");
            return null;
        }
    }

    /// <returns>Null when the server does not have the position yet.</returns>
    private async ValueTask<List<T>?> ReadAsync<T>(
        NpgsqlConnection connection,
        NpgsqlBatchCommand statement,
        Func<NpgsqlDataReader, T> row,
        NpgsqlLogSequenceNumber? after,
        CancellationToken cancel)
    {
        using var operation = Operations.Start(".sql");
        operation.Set("query", statement.CommandText);
        try
        {
            await using var batch = Batch(connection);
            if (after is { } position)
            {
                // Before the query, which sees at least what there was then.
                batch.BatchCommands.Add(new NpgsqlBatchCommand(HasPosition)
                {
                    Parameters = { new NpgsqlParameter("position", NpgsqlDbType.PgLsn) { Value = position } },
                });
            }
            batch.BatchCommands.Add(statement);
            await using var reader = await batch.ExecuteReaderAsync(cancel);
            if (batch.BatchCommands[0].CommandText == SetName)
            {
                await reader.NextResultAsync(cancel);
            }
            if (after is not null)
            {
                await reader.ReadAsync(cancel);
                if (!reader.GetBoolean(0))
                {
                    return null;
                }
                await reader.NextResultAsync(cancel);
            }
            var rows = new List<T>();
            while (await reader.ReadAsync(cancel))
            {
                rows.Add(row(reader));
            }
            operation.Set("row_count", (long)rows.Count);
            return rows;
        }
        catch (Exception error)
        {
            operation.Fail(error);
            throw;
        }
    }

    private void Say(bool usesReplica, StoreRequest? request)
    {
        if (servers.HasReplica && request is not null && logger.IsEnabled(LogLevel.Debug))
        {
            logger.LogDebug("Using {Server} database for: {Key}", usesReplica ? "replica" : "primary", request.Key);
        }
    }

    private NpgsqlBatch Batch(NpgsqlConnection connection)
    {
        var batch = connection.CreateBatch();
        if (settings.RequestIdInName && Operation.Current?.Id is { Length: > 0 } id)
        {
            // The id is what is looked for, so it is whole if it can be.
            var room = Math.Max(0, NameCharactersMax - id.Length - 1);
            var both = ToName(room == 0 ? id : $"{name[..Math.Min(room, name.Length)]} {id}");
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(SetName) { Parameters = { new NpgsqlParameter<string>("name", both) } });
        }
        return batch;
    }
}
