using TaskService.Tests.Operations;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>Plans of SQLite.</summary>
public sealed class SqliteProfilerTests
{
    [Fact]
    public async Task While_it_is_enabled_each_select_is_explained_once()
    {
        var plans = await ProfiledEngine.AssertExplainsOnceAsync("sqlite");
        Assert.Equal("SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id=?)", plans[0]);
        Assert.Equal("SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>?)", plans[1]);
    }
}
