using Npgsql;

namespace TaskService.Storage.Postgres;

/// <summary>
/// Explains queries: executes each once more, on a connection of its own beside the pools, in a read-only transaction
/// that is rolled back. PostgreSQL refuses what would write there, whatever function does it, and the end of the
/// connection releases what a rollback does not, such as advisory locks.
/// </summary>
/// <param name="settings">Of the servers, and of the time that a statement may take.</param>
/// <param name="name">Sent as <c>application_name</c>.</param>
internal sealed class PostgresExplain(PostgresSettings settings, string name)
{
    /// <summary>The plan of a query with its parameters, with times and buffers.</summary>
    /// <param name="query">Its rows are not kept.</param>
    /// <param name="usesReplica">Whether the query itself is read from a replica.</param>
    /// <param name="cancel">Ends the statement.</param>
    /// <returns>The lines.</returns>
    /// <exception cref="NpgsqlException">The server refuses the statement, or there is none.</exception>
    public async Task<IReadOnlyList<string>> ExplainAsync(
        PostgresQuery query, bool usesReplica, CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(Server(usesReplica).ConnectionString);
        await connection.OpenAsync(cancel);
        await using (var begin = new NpgsqlCommand(
            $"BEGIN READ ONLY; SET LOCAL statement_timeout = '{settings.Primary.CommandTimeout}s'", connection))
        {
            await begin.ExecuteNonQueryAsync(cancel);
        }
        var lines = new List<string>();
        // A batch takes one statement a command, where a command would split a text at its semicolons.
        await using (var batch = connection.CreateBatch())
        {
            var explain = query.ToCommand();
            explain.CommandText = $"EXPLAIN (ANALYZE, BUFFERS) {explain.CommandText}";
            batch.BatchCommands.Add(explain);
            await using var reader = await batch.ExecuteReaderAsync(cancel);
            while (await reader.ReadAsync(cancel))
            {
                lines.Add(reader.GetString(0));
            }
        }
        await using var end = new NpgsqlCommand("ROLLBACK", connection);
        await end.ExecuteNonQueryAsync(cancel);
        return lines;
    }

    private NpgsqlConnectionStringBuilder Server(bool usesReplica)
    {
        var server = usesReplica
            ? PostgresSettings.Unpooled(settings.Replica!, "prefer-standby")
            : PostgresSettings.Unpooled(settings.Primary, "primary");
        if (!server.ShouldSerialize("Application Name"))
        {
            server.ApplicationName = name;
        }
        return server;
    }
}
