using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using TaskService.Domain;
using TaskService.Storage.Sql;
using TaskService.Storage.Sqlite;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>Migrations of any engine, applied to a real SQLite file.</summary>
public sealed class SqliteMigrationsTests : IDisposable
{
    internal const string HasTable = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'";

    private static readonly Migration First = new(1, "001_a.sql", "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);");
    private static readonly Migration Second = new(2, "002_b.sql", "CREATE TABLE b (x);");
    private static readonly Migration Removal = new(2, "002_b.sql", "DROP TABLE a;");
    private static readonly Migration Third = new(3, "003_c.sql", "CREATE TABLE c (x);");

    private readonly TemporaryDirectory directory = new();
    private readonly SqliteConnection connection;

    public SqliteMigrationsTests() => connection = Open();

    public void Dispose()
    {
        connection.Dispose();
        directory.Dispose();
    }

    [Fact]
    public async Task Each_migration_is_applied_once_and_new_ones_later()
    {
        Assert.Equal("002_b.sql", await ApplyAsync(First, Second));
        Assert.Equal("003_c.sql", await ApplyAsync(First, Second, Third));
        Assert.Equal("003_c.sql", await ApplyAsync(First, Second, Third));
        Assert.Equal(1L, Scalar("SELECT count(*) FROM a"));
        Assert.Equal(
            $"1 001_a.sql {First.Hash},2 002_b.sql {Second.Hash},3 003_c.sql {Third.Hash}",
            Scalar("SELECT group_concat(version || ' ' || name || ' ' || hash) FROM schema_migrations"));
    }

    [Fact]
    public async Task A_changed_migration_stops_the_start_but_other_line_ends_are_no_change()
    {
        await ApplyAsync(First, Second);
        await ApplyAsync(First with { Sql = First.Sql.Replace("\n", "\r\n", StringComparison.Ordinal) }, Second);
        Assert.Equal(
            "the migration 001_a.sql has changed since it was applied",
            await ProblemAsync(new Migration(1, First.Name, First.Sql + " "), Second, Third));
        Assert.Equal(0L, Scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'c'"));
    }

    [Fact]
    public async Task An_unknown_migration_stops_the_start_with_its_name()
    {
        await ApplyAsync(First, Second, Third);
        Assert.Equal(
            "the migration 002_b.sql was applied, but this program does not have it",
            await ProblemAsync(First, Third));
    }

    [Fact]
    public async Task A_skipped_migration_stops_the_start_with_its_name()
    {
        await ApplyAsync(First, Third);
        Assert.Equal(
            "the migration 002_b.sql was not applied, but 003_c.sql, which comes later, was",
            await ProblemAsync(First, Second, Third));
    }

    [Fact]
    public async Task A_database_that_is_newer_than_the_program_stops_the_start()
    {
        await ApplyAsync(First, Second);
        Assert.Equal(
            "the database is newer than this program: 002_b.sql was applied, 001_a.sql is the last one known",
            await ProblemAsync(First));
    }

    [Fact]
    public async Task A_failed_migration_is_rolled_back_and_earlier_ones_stay()
    {
        var broken = new Migration(2, "002_b.sql", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);");
        Assert.Equal(
            "the migration 002_b.sql failed: SQLite Error 1: 'no such table: nowhere'.",
            await ProblemAsync(First, broken));
        Assert.Equal(0L, Scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'b'"));
        Assert.Equal(1L, Scalar("SELECT count(*) FROM a"));
        Assert.Equal("002_b.sql", await ApplyAsync(First, Second));
    }

    [Fact]
    public async Task Instances_that_start_at_once_apply_each_migration_once()
    {
        for (var round = 0; round < TestRoot.Scale(3, 50); round++)
        {
            var file = $"race{round}";
            var last = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                await using var own = Open(file);
                return await ApplyAsync(own, First, Second, Third);
            })));
            Assert.All(last, name => Assert.Equal("003_c.sql", name));
            await using var after = Open(file);
            Assert.Equal(1L, Scalar("SELECT count(*) FROM a", after));
        }
    }

    [Fact]
    public async Task A_destructive_migration_is_refused_without_a_backup_unless_the_schema_is_new()
    {
        await ApplyAsync(First);
        Assert.Equal(
            "the migration 002_b.sql removes or rewrites data: back the database up, then run --migrate-only",
            await ProblemAsync(First, Removal, Third));
        Assert.Equal(1L, Scalar("SELECT count(*) FROM a"));
        Assert.Equal(1L, Scalar("SELECT count(*) FROM schema_migrations"));
        await using var other = Open("new");
        Assert.Equal("003_c.sql", await ApplyAsync(other, First, Removal, Third));
    }

    [Fact]
    public async Task A_destructive_migration_leaves_a_backup_and_overwrites_no_other_file()
    {
        await ApplyAsync(First);
        await File.WriteAllTextAsync(directory.File("test.before-002_b"), "of others");
        const UnixFileMode secret = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(directory.File("test"), secret);
        }
        // In the log, not in the file.
        Assert.Equal("wal", Scalar("PRAGMA journal_mode = WAL"));
        Scalar("INSERT INTO a VALUES (2)");
        var (session, place) = SqliteFileIdentity.Open(directory.File("test"), isReadOnly: false);
        using var own = session;
        var backup = new SqliteBackup(place, NullLogger.Instance);
        await new Migrations([First, Removal]).ApplyAsync(
            own.Connection,
            "BEGIN IMMEDIATE",
            HasTable,
            step =>
            {
                // Nobody else writes until the step is applied.
                using var busy = Open();
                busy.DefaultTimeout = 1;
                Assert.Throws<SqliteException>(() => Scalar("DELETE FROM a", busy));
                backup.Make(Path.GetFileNameWithoutExtension(step.Name));
            },
            NullLogger.Instance,
            CancellationToken.None);
        Assert.Equal(0L, Scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'a'"));
        Assert.Equal("of others", await File.ReadAllTextAsync(directory.File("test.before-002_b")));
        var copy = directory.File("test.before-002_b-2");
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(copy) == secret);
        Assert.Equal(
            ["test", "test-shm", "test-wal", "test.before-002_b", "test.before-002_b-2"],
            Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        await using var kept = Open("test.before-002_b-2");
        Assert.Equal("delete", Scalar("PRAGMA journal_mode", kept));
        Assert.Equal("ok", Scalar("PRAGMA integrity_check", kept));
        Assert.Equal("1,2", Scalar("SELECT group_concat(x) FROM a", kept));
    }

    private static Task<string> ApplyAsync(DbConnection to, params Migration[] known) =>
        new Migrations(known).ApplyAsync(
            to,
            "BEGIN IMMEDIATE",
            HasTable,
            Migrations.RequireMigrateOnly,
            NullLogger.Instance,
            CancellationToken.None);

    private Task<string> ApplyAsync(params Migration[] known) => ApplyAsync(connection, known);

    private async Task<string> ProblemAsync(params Migration[] known) =>
        (await Assert.ThrowsAsync<StorageException>(() => ApplyAsync(known))).Message;

    private SqliteConnection Open(string file = "test")
    {
        var opened = new SqliteConnection($"Data Source={directory.File(file)};Pooling=False");
        opened.Open();
        return opened;
    }

    private object? Scalar(string sql, SqliteConnection? on = null)
    {
        using var command = (on ?? connection).CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
