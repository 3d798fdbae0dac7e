using System.Runtime.Versioning;

namespace TaskService.Tests.Storage.Sqlite;

[Trait("Suite", "long")]
[UnsupportedOSPlatform("windows")]
public sealed class SqlitePermissionTests() : ReadOnlyPlaces("sqlite", "store/tasks.db")
{
    [Theory]
    [InlineData("store", ReadOnlyDirectory, "/store may not be written to: Permission denied")]
    [InlineData("store/tasks.db", ReadOnlyFile, "/store/tasks.db may not be written to: Permission denied")]
    [InlineData("store/tasks.db-wal", ReadOnlyFile, "attempt to write a readonly database")]
    public async Task Without_permission_to_write_the_start_ends_with_one_line_and_changes_nothing(
        string path, UnixFileMode mode, string problem)
    {
        await CreateAsync();
        // The log is there as long as someone has the file open.
        using var log = path.EndsWith("-wal", StringComparison.Ordinal)
            ? new SqliteDatabase(Files.File("store/tasks.db")) : null;
        log?.Run("UPDATE schema_migrations SET name = name");
        await AssertDoesNotStartAsync(path, mode, problem);
    }
}
