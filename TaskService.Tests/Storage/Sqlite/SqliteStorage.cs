using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>A SQLite file, for <see cref="TestEngine"/>.</summary>
internal static class SqliteStorage
{
    public static TestStorage New(TemporaryDirectory directory)
    {
        var file = directory.File("new/engine.db");
        return new TestStorage($"sqlite: '{file}'", sql =>
        {
            using var database = new SqliteDatabase(file);
            database.Run(sql);
        });
    }
}
