using System.Data.Common;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <summary>A migration of the schema, from a file.</summary>
/// <param name="Version">Migrations are applied in this order.</param>
/// <param name="Name">Of the file, such as <c>001_tasks.sql</c>.</param>
/// <param name="Sql">The statements of the file.</param>
internal sealed partial record Migration(int Version, string Name, string Sql)
{
    /// <summary>SHA-256 of the text, 64 lower-case hexadecimal digits; independent of line ends.</summary>
    public string Hash { get; } = Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    /// <summary>
    /// Whether the step may remove or rewrite data: any statement that is not known to only add something does.
    /// </summary>
    public bool IsDestructive { get; } = CommentOrText().Replace(Sql, " ").Split(';', StringSplitOptions.TrimEntries)
        .Any(statement => statement.Length > 0 && !(Adds().IsMatch(statement) && !Rewrites().IsMatch(statement)));

    [GeneratedRegex(@"--[^\n]*|/\*.*?\*/|'[^']*'|""[^""]*""", RegexOptions.Singleline)]
    private static partial Regex CommentOrText();

    [GeneratedRegex(@"^(CREATE|INSERT\s+INTO|ALTER\s+TABLE\s+\S*\s*ADD)\s", RegexOptions.IgnoreCase)]
    private static partial Regex Adds();

    [GeneratedRegex(@"\b(DROP|DELETE|UPDATE|REPLACE|TRUNCATE|RENAME|MERGE)\b|.\bALTER\b",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex Rewrites();
}

/// <summary>
/// Migrates the schema of a database: each step once, in order, in a transaction of its own, under a lock that
/// excludes other instances, recorded with its hash in <c>schema_migrations</c>.
/// </summary>
/// <param name="known">The migrations of this program, in order.</param>
internal sealed partial class Migrations(IReadOnlyList<Migration> known)
{
    private const string CreateTable =
        "CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
        + " hash TEXT NOT NULL, applied_at TEXT NOT NULL)";

    private const string SelectApplied = "SELECT version, name, hash FROM schema_migrations ORDER BY version";

    private const string Insert =
        "INSERT INTO schema_migrations (version, name, hash, applied_at) VALUES (@version, @name, @hash, @applied_at)";

    /// <summary>In order.</summary>
    public IReadOnlyList<Migration> Known => known;

    /// <summary>The embedded migrations of an engine: <c>schema/ENGINE/NNN_name.sql</c>.</summary>
    public static Migrations Embedded(string engine)
    {
        var assembly = typeof(Migrations).Assembly;
        var steps =
            from resource in assembly.GetManifestResourceNames()
            let file = ResourceName().Match(resource)
            where file.Success && file.Groups["engine"].Value == engine
            let version = int.Parse(file.Groups["version"].ValueSpan, CultureInfo.InvariantCulture)
            orderby version
            select new Migration(version, file.Groups["name"].Value, ReadText(assembly, resource));
        return new Migrations([.. steps]);
    }

    /// <summary>Applies the pending migrations.</summary>
    /// <param name="connection">Open, and in no transaction.</param>
    /// <param name="begin">SQL that begins a transaction under a lock that excludes other instances.</param>
    /// <param name="selectHasTable">SQL that returns whether the table <c>schema_migrations</c> exists. A role without
    /// the right to create it can use a schema that is up to date.</param>
    /// <param name="beforeDestructive">
    /// Is called within the transaction before a step that <see cref="Migration.IsDestructive"/>, unless this call
    /// creates the schema: keeps a copy, or throws so that nothing is applied. Null when such steps are allowed.
    /// </param>
    /// <param name="logger">Gets a line for each applied migration.</param>
    /// <param name="cancel">Checked before each step.</param>
    /// <returns>The name of the last step.</returns>
    /// <exception cref="StorageException">The database does not match the program, or a step failed; the message says
    /// in one line which.</exception>
    /// <exception cref="DbException">The database failed otherwise.</exception>
    public async Task<string> ApplyAsync(
        DbConnection connection,
        string begin,
        string selectHasTable,
        Action<Migration>? beforeDestructive,
        ILogger logger,
        CancellationToken cancel)
    {
        bool? isNew = null;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            // The lock ends with the transaction, so each transaction reads the applied migrations anew.
            await ExecuteAsync(connection, begin);
            try
            {
                var hasTable = await ReadFlagAsync(connection, selectHasTable);
                var applied = hasTable ? await ReadAppliedAsync(connection) : [];
                ThrowIfForeign(applied);
                if (applied.Count == known.Count)
                {
                    await ExecuteAsync(connection, "COMMIT");
                    return known[^1].Name;
                }
                isNew ??= applied.Count == 0;
                if (known[applied.Count].IsDestructive && isNew == false)
                {
                    beforeDestructive?.Invoke(known[applied.Count]);
                }
                await ApplyAsync(connection, known[applied.Count], hasTable);
                await ExecuteAsync(connection, "COMMIT");
                logger.LogInformation("Applied {Migration}", known[applied.Count].Name);
            }
            catch
            {
                await RollBackAsync(connection);
                throw;
            }
        }
    }

    /// <summary>Refuses a destructive step on servers, whose databases the program cannot copy.</summary>
    /// <exception cref="StorageException">Always.</exception>
    public static void RequireMigrateOnly(Migration step) => throw new StorageException(
        ErrorKind.StorageUnavailable,
        $"the migration {step.Name} removes or rewrites data: back the database up, then run --migrate-only");

    /// <summary>Checks that all migrations are applied, and applies none.</summary>
    /// <returns>The name of the last step.</returns>
    /// <exception cref="StorageException">The database does not match the program; the message says in one line why.
    /// </exception>
    /// <exception cref="DbException">The database failed, or has no such schema.</exception>
    public async Task<string> RequireCurrentAsync(DbConnection connection)
    {
        var applied = await ReadAppliedAsync(connection);
        ThrowIfForeign(applied);
        return applied.Count == known.Count
            ? known[^1].Name
            : throw new StorageException(
                ErrorKind.StorageUnavailable,
                $"the migration {known[applied.Count].Name} is missing: the schema is at "
                + $"{(applied.Count == 0 ? "none" : applied[^1].Name)}, not {known[^1].Name}; --migrate-only");
    }

    /// <exception cref="StorageException">The applied migrations are not the first of those known.</exception>
    private void ThrowIfForeign(List<(int Version, string Name, string Hash)> applied)
    {
        foreach (var (version, name, hash) in applied)
        {
            var own = known.FirstOrDefault(step => step.Version == version);
            var problem = own is null && version > known[^1].Version
                ? $"the database is newer than this program: {name} was applied, {known[^1].Name} is the last one known"
                : own is null ? $"the migration {name} was applied, but this program does not have it"
                : own.Hash != hash ? $"the migration {own.Name} has changed since it was applied"
                : null;
            if (problem is not null)
            {
                throw new StorageException(ErrorKind.StorageUnavailable, problem);
            }
        }
        // All applied migrations are known, so the first difference is one that was skipped.
        foreach (var (own, (version, name, _)) in known.Zip(applied))
        {
            if (own.Version != version)
            {
                throw new StorageException(
                    ErrorKind.StorageUnavailable,
                    $"the migration {own.Name} was not applied, but {name}, which comes later, was");
            }
        }
    }

    private static async Task ApplyAsync(DbConnection connection, Migration step, bool hasTable)
    {
        try
        {
            if (!hasTable)
            {
                await ExecuteAsync(connection, CreateTable);
            }
            await ExecuteAsync(connection, step.Sql);
        }
        catch (DbException error)
        {
            throw new StorageException(
                ErrorKind.StorageUnavailable,
                // A driver adds the position in the step on lines of its own.
                $"the migration {step.Name} failed: {error.Message.Split('\n')[0]}",
                error);
        }
        await ExecuteAsync(
            connection,
            Insert,
            ("@version", step.Version),
            ("@name", step.Name),
            ("@hash", step.Hash),
            ("@applied_at", DateTime.UtcNow.ToString("O", CultureInfo.InvariantCulture)));
    }

    private static async Task<List<(int Version, string Name, string Hash)>> ReadAppliedAsync(DbConnection connection)
    {
        var applied = new List<(int, string, string)>();
        await using var command = connection.CreateCommand();
        command.CommandText = SelectApplied;
        await using var reader = await command.ExecuteReaderAsync(CancellationToken.None);
        while (await reader.ReadAsync(CancellationToken.None))
        {
            applied.Add((reader.GetInt32(0), reader.GetString(1), reader.GetString(2)));
        }
        return applied;
    }

    private static async Task<bool> ReadFlagAsync(DbConnection connection, string sql)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToBoolean(
            await command.ExecuteScalarAsync(CancellationToken.None), CultureInfo.InvariantCulture);
    }

    private static async Task RollBackAsync(DbConnection connection)
    {
        try
        {
            await ExecuteAsync(connection, "ROLLBACK");
        }
        catch (Exception error) when (error is DbException or InvalidOperationException)
        {
            // The transaction has ended already, or the connection has. The first error is the one to report.
        }
    }

    private static async Task ExecuteAsync(
        DbConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }

    private static string ReadText(Assembly assembly, string resource)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^schema[/\\](?<engine>\w+)[/\\](?<name>(?<version>\d{3})_\w+\.sql)$")]
    private static partial Regex ResourceName();
}
