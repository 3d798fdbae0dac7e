using System.Data;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Text;
using Npgsql;
using NpgsqlTypes;
using TaskService.Domain;
using TaskService.Storage.Sql;
using TaskService.Telemetry.Operations;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Executes statements, with batching: in one round trip each or fewer. Reads go to the server that the request may
/// read from, changes to the primary. All are operations <c>.sql</c>; failures become <see cref="StorageException"/>.
/// </summary>
internal sealed partial class PostgresCalls : IAsyncDisposable
{
    // PostgreSQL truncates application_name to this.
    private const int NameCharactersMax = 63;

    // Local to the transaction: an idle connection of the pool never shows the id of a request that has ended.
    private const string SetName = "SELECT set_config('application_name', $1, true)";

    // Null on a server that never was a replica.
    private const string HasPosition =
        "SELECT NOT pg_is_in_recovery() OR coalesce(pg_last_wal_replay_lsn() >= $1, false)";

    private const int ConnectionsTriedMax = 2;
    private static readonly TimeSpan PauseMax = TimeSpan.FromMilliseconds(8);

    private readonly PostgresServers servers;
    private readonly PostgresSettings settings;
    private readonly string name;
    private readonly ILogger logger;
    private readonly Batcher<PostgresQuery> replicaReads;
    private readonly Batcher<PostgresQuery> primaryReads;
    private readonly Batcher<PostgresChange> changes;

    /// <param name="settings">The servers and the routing of reads.</param>
    /// <param name="serviceName">Sent as <c>application_name</c>.</param>
    /// <param name="loggers">For the routing of reads and for Npgsql.</param>
    public PostgresCalls(PostgresSettings settings, string serviceName, ILoggerFactory loggers)
    {
        this.settings = settings;
        name = ToName(serviceName);
        logger = loggers.CreateLogger<PostgresEngine>();
        servers = new PostgresServers(settings, name, loggers);
        var explain = new PostgresExplain(settings, name);
        Profiler = new(
            (_, read, cancel) => explain.ExplainAsync(read.Query, read.UsesReplica, cancel), loggers);
        replicaReads = new(finds => FindAsync(finds, usesReplica: true), lingerTurns: 3);
        primaryReads = new(finds => FindAsync(finds, usesReplica: false), lingerTurns: 3);
        // No linger: a commit waits for the disk, and the next batch fills meanwhile.
        changes = new(ChangeBatchAsync, lingerTurns: 0);
    }

    public bool HasReplica => servers.HasReplica;

    public SqlProfiler<(PostgresQuery Query, bool UsesReplica)> Profiler { get; }

    /// <summary>Reads rows from a replica if the request may, else from the primary.</summary>
    /// <param name="query">Gets the rows.</param>
    /// <param name="request">The current request; without one the primary is read.</param>
    /// <param name="cancel">Cancels the read at any time.</param>
    public async ValueTask ReadAsync(PostgresQuery query, StoreRequest? request, CancellationToken cancel)
    {
        var usesReplica = servers.HasReplica && settings.Routes.UsesReplica(request);
        NpgsqlLogSequenceNumber? after = null;
        if (usesReplica && request!.ReadAfter is { } text)
        {
            // A malformed position is not of this service: only a read from the primary is surely current.
            usesReplica = NpgsqlLogSequenceNumber.TryParse(text, out var position);
            after = position;
        }
        using var operation = Operation.Start(".sql");
        operation.Set("query", query.Sql);
        Profiler.Offer(query.Sql, (query, usesReplica));
        try
        {
            cancel.ThrowIfCancellationRequested();
            await (query.Key is not null && after is null && !settings.RequestIdInName
                ? (usesReplica ? replicaReads : primaryReads).SendAsync(query, cancel)
                : ReadAsync([query], usesReplica, after, cancel));
            LogServer(query.IsFromReplica, request);
            Conclude(query, operation);
            if (servers.HasReplica)
            {
                operation.Set("read_from", query.IsFromReplica ? "replica" : "primary");
            }
        }
        catch (Exception error) when (Failed(operation, error) is { } storage)
        {
            throw storage;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Profiler.DisposeAsync();
        await servers.DisposeAsync();
    }

    /// <summary>Sanitizes a text for <c>application_name</c>.</summary>
    private static string ToName(string text)
    {
        var name = new StringBuilder(text, 0, Math.Min(text.Length, NameCharactersMax), NameCharactersMax);
        for (var i = 0; i < name.Length; i++)
        {
            name[i] = name[i] is >= ' ' and <= '~' ? name[i] : '?';
        }
        return name.ToString();
    }

    private static void Conclude(PostgresStatement statement, Operation operation)
    {
        if (statement.Refusal is not null)
        {
            ExceptionDispatchInfo.Throw(statement.Refusal);
        }
        operation.Set("row_count", (long)statement.RowCount);
    }

    /// <returns>Null when the error is no failure of the storage, and is rethrown as it is.</returns>
    private static StorageException? Failed(Operation operation, Exception error)
    {
        operation.Fail(error);
        return PostgresErrors.Translate(error);
    }

    private Task FindAsync(List<PostgresQuery> finds, bool usesReplica) =>
        ReadAsync(PostgresQuery.Join(finds), usesReplica, after: null, CancellationToken.None);

    private async Task ReadAsync(
        List<PostgresQuery> queries, bool usesReplica, NpgsqlLogSequenceNumber? after, CancellationToken cancel)
    {
        if (usesReplica && await TryReadReplicaAsync(queries, after, cancel))
        {
            return;
        }
        try
        {
            await ReadPrimaryAsync(queries, cancel);
        }
        catch (Exception error) when (usesReplica && PostgresErrors.Translate(error) is not null)
        {
            // The lost server may have replaced a replica that is available again by now.
            if (!await TryReadReplicaAsync(queries, after, cancel))
            {
                throw;
            }
        }
    }

    private async Task ReadPrimaryAsync(List<PostgresQuery> queries, CancellationToken cancel)
    {
        for (var tried = 1; ; tried++)
        {
            // OpenPrimaryAsync retries by itself.
            await using var connection = await servers.OpenPrimaryAsync(cancel);
            try
            {
                await TryReadAsync(connection, queries, after: null, cancel);
                return;
            }
            catch (Exception error) when (PostgresErrors.IsConnectionError(error) && tried < ConnectionsTriedMax)
            {
                // An idle connection whose server was lost. A read can be retried.
            }
        }
    }

    private async Task<bool> TryReadReplicaAsync(
        List<PostgresQuery> queries, NpgsqlLogSequenceNumber? after, CancellationToken cancel)
    {
        try
        {
            var started = Stopwatch.GetTimestamp();
            await using var connection = await servers.OpenReplicaAsync(cancel);
            for (var pause = TimeSpan.FromMilliseconds(1); ; pause *= 2)
            {
                if (await TryReadAsync(connection, queries, after, cancel))
                {
                    var isReplica = PostgresServers.IsReplica(connection);
                    queries.ForEach(query => query.IsFromReplica = isReplica);
                    return true;
                }
                pause = pause > PauseMax ? PauseMax : pause;
                if (Stopwatch.GetElapsedTime(started) + pause > settings.ReadYourWritesWaitMax)
                {
                    logger.LogDebug("The replica is behind for too long, so the primary is read");
                    return false;
                }
                logger.LogDebug("The read waits for a replica that is behind");
                await Task.Delay(pause, cancel);
            }
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
        {
            // The replica is not available, or cannot serve this read, such as of a table that is not replicated yet.
            logger.LogDebug(error, "The replica fails, so the primary is read");
            return false;
        }
    }

    /// <returns>False when the server has not replayed the position yet.</returns>
    private async ValueTask<bool> TryReadAsync(
        NpgsqlConnection connection,
        List<PostgresQuery> queries,
        NpgsqlLogSequenceNumber? after,
        CancellationToken cancel)
    {
        try
        {
            return await TryReadOnceAsync(connection, queries, after, cancel);
        }
        catch (Exception error) when (
            (error is PostgresException or OperationCanceledException)
            && connection.FullState == ConnectionState.Open)
        {
            Unprepare(connection);
            throw;
        }
    }

    // A statement that fails in Bind, when Npgsql has just prepared it by itself, stays prepared without a description
    // of its rows, and its next execution breaks the connection: "unexpected backend message DataRow". Npgsql 10.0.3
    // still has this defect (https://github.com/npgsql/npgsql/issues/6391).
    private static void Unprepare(NpgsqlConnection connection)
    {
        try
        {
            connection.UnprepareAll();
        }
        catch (NpgsqlException)
        {
            // The connection has ended, and its statements with it.
        }
    }

    private async ValueTask<bool> TryReadOnceAsync(
        NpgsqlConnection connection,
        List<PostgresQuery> queries,
        NpgsqlLogSequenceNumber? after,
        CancellationToken cancel)
    {
        await using var batch = Batch(connection);
        var hasName = batch.BatchCommands.Count > 0;
        if (after is { } position)
        {
            // Before the query, whose snapshot then includes the position.
            batch.BatchCommands.Add(new NpgsqlBatchCommand(HasPosition)
            {
                Parameters = { new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.PgLsn, Value = position } },
            });
        }
        foreach (var query in queries)
        {
            batch.BatchCommands.Add(query.ToCommand());
        }
        await using var reader = await batch.ExecuteReaderAsync(cancel);
        if (hasName)
        {
            await reader.NextResultAsync(cancel);
        }
        if (after is not null)
        {
            await reader.ReadAsync(cancel);
            if (!reader.GetBoolean(0))
            {
                return false;
            }
            await reader.NextResultAsync(cancel);
        }
        foreach (var query in queries)
        {
            query.Reset();
            while (await reader.ReadAsync(cancel))
            {
                query.Take(reader);
            }
            await reader.NextResultAsync(cancel);
        }
        return true;
    }

    // Logs the server that was read: the primary replaces a replica that lags or is lost.
    private void LogServer(bool isReplica, StoreRequest? request)
    {
        if (servers.HasReplica && request is not null && logger.IsEnabled(LogLevel.Debug))
        {
            logger.LogDebug("Using {Server} database for: {Key}", isReplica ? "replica" : "primary", request.Key);
        }
    }

    private NpgsqlBatch Batch(NpgsqlConnection connection)
    {
        var batch = connection.CreateBatch();
        if (settings.RequestIdInName && Operation.Current?.Id is { Length: > 0 } id)
        {
            // The id is the part that people search for, so it is not truncated if possible.
            var room = Math.Max(0, NameCharactersMax - id.Length - 1);
            var both = ToName(room == 0 ? id : $"{name[..Math.Min(room, name.Length)]} {id}");
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(SetName) { Parameters = { new NpgsqlParameter<string> { TypedValue = both } } });
        }
        return batch;
    }
}
